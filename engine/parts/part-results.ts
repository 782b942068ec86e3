import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { type BesideDense, type ResultEvent, resultFileSchema, type Scores, scoresOf } from '../contract/index.ts'
import { runFiles } from '../runs/run-files.ts'
import { badFile, SecateurError } from '../shared/errors.ts'
import { parseAs, readJson } from '../shared/files.ts'
import type { Part } from './split.ts'

/** What a part came to, as its result.json has it: with its numbers and its order of fields. */
export interface PartResult {
  part: Part
  parameters: NonNullable<ResultEvent['parameters']>
  scores: Scores
  /** Where the evaluation is beside a dense checkpoint. */
  compared: { dense: Scores; besideDense: BesideDense } | null
  /** Null where the system does not tell. */
  peakMemoryBytes: number | null
  seconds: number
}

const remedy = ({ job }: Part): string =>
  `remove ${job.out} and say --resume: the part is done again, the others are kept`

/** Why a part cannot be used, with what to do about it. */
export const damagedPart = (part: Part, file: string, what: string): SecateurError =>
  badFile(file, undefined, `${what}: ${remedy(part)}`)

/** What is read of a part. @throws SecateurError that says what to do, where the file is damaged */
export function readOfPart<T>(part: Part, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof SecateurError)) throw error
    throw new SecateurError(error.kind, `${error.message}: ${remedy(part)}`, { cause: error })
  }
}

/**
 * Whether a part is over.
 *
 * @throws SecateurError where its result is damaged, or is none of the part
 */
export function isDone(part: Part): boolean {
  return resultOf(part) !== null
}

/** @throws SecateurError as `isDone` does, and where the part is not over */
export function finishedResult(part: Part): PartResult {
  const found = resultOf(part)
  if (found) return found
  throw badFile(part.job.out, undefined, `the part ${part.name} has no result: --resume does what is missing`)
}

function resultOf(part: Part): PartResult | null {
  const file = join(part.job.out, runFiles.result)
  if (!existsSync(file)) return null
  const result = readOfPart(part, () => outcomeIn(file))
  if (!result) return null
  const { tasks, perplexity, dense, besideDense, parameters } = result
  const scores = scoresOf(result)
  if (!parameters || !tasks || !perplexity || !scores) throw damagedPart(part, file, 'is no result of an evaluation')
  const isCompared = part.job.compareWith !== undefined
  if (!holds(scores, part) || (isCompared && !(dense && besideDense && holds(dense, part))))
    throw damagedPart(part, file, `lacks scores of the part ${part.name}`)
  return {
    part,
    parameters,
    scores,
    compared: isCompared ? { dense: dense!, besideDense: besideDense! } : null,
    peakMemoryBytes: result.peakMemoryBytes ?? null,
    seconds: result.seconds ?? 0,
  }
}

/** The result in a file; null where the part failed or was stopped. */
function outcomeIn(file: string): ResultEvent | null {
  const found = readJson(file, z.unknown())
  const { outcome } = parseAs(resultFileSchema, found, file)
  // A schema puts fields in an order of its own.
  return outcome.type === 'result' ? (found as { outcome: ResultEvent }).outcome : null
}

/** Whether scores have what the part is there for. */
function holds({ tasks, perplexity, classification, latency, examples }: Scores, { scores, job }: Part): boolean {
  switch (scores.kind) {
    case 'task':
      return Object.hasOwn(tasks, scores.name)
    case 'text':
      return Object.hasOwn(perplexity, scores.name)
    case 'images':
      return classification !== undefined
    case 'speed':
      return latency !== undefined
    case 'examples':
      return examples?.length === job.evaluation.prompts.length
  }
}
