// The files that an evaluation names, made of those that its parts have written in their own folders.
import { closeSync, existsSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { mostPredictionBytes, predictionsSchema, type ScoredCheckpoint, taskKey } from '../contract/index.ts'
import { samplesFile } from '../evaluation/lm-eval/samples.ts'
import { predictionsFileOf } from '../runs/predictions.ts'
import { readJson, writeFileAtomically } from '../shared/files.ts'
import { openFile } from '../shared/open-file.ts'
import type { StagedFiles } from '../shared/staged-files.ts'
import { sum } from '../shared/sum.ts'
import { damagedPart, type PartResult, readOfPart } from './part-results.ts'
import { type Part, partFiles } from './split.ts'

/** Bytes that are copied at once. */
const slice = 1 << 20
const newline = 10
/** Bytes of a file of results of lm-evaluation-harness at most. */
const mostLmEvalBytes = 64 << 20

/** What a part scores row by row, as files name it; null of one that has no rows. */
const rowsOf = ({ scores }: Part): string | null =>
  scores.kind === 'task' ? scores.name : scores.kind === 'images' ? 'images' : null

/** Writes a file once all files have been read: of parts that are not whole nothing is joined. */
export type Write = () => void

/** Copies the predictions that run folders keep. @throws SecateurError where some are missing or damaged */
export const joinPredictions = (folder: string, results: readonly PartResult[]): Write[] =>
  results.flatMap(({ part, compared }) => {
    const task = rowsOf(part)
    if (task === null) return []
    const kept: ScoredCheckpoint[] = compared ? ['dense', 'result'] : ['result']
    return kept.map((which) => {
      const file = predictionsFileOf(part.job.out, which, task)
      if (!existsSync(file)) throw damagedPart(part, file, 'is missing')
      readOfPart(part, () => readJson(file, predictionsSchema, { maxBytes: mostPredictionBytes }))
      return () => writeFileAtomically(predictionsFileOf(folder, which, task), readFileSync(file))
    })
  })

/** Writes the rows of all parts into one file. @throws SecateurError where a part has more or fewer than it has scored */
export function joinRows(files: StagedFiles, path: string, results: readonly PartResult[]): Write {
  return rowsInto(
    files,
    path,
    results.flatMap(({ part, scores }) => {
      const task = rowsOf(part)
      if (task === null) return []
      const scored = task === 'images' ? scores.classification!.n : scores.tasks[task]!.n
      return [{ part, file: join(part.job.out, partFiles.rows), scored }]
    }),
  )
}

/** A file with a line for each row that a part has scored. */
interface RowsOfPart {
  part: Part
  file: string
  scored: number
}

function rowsInto(files: StagedFiles, path: string, sources: readonly RowsOfPart[]): Write {
  for (const { part, file, scored } of sources) {
    if (!existsSync(file)) throw damagedPart(part, file, 'is missing')
    let rows = 0
    for (const bytes of slicesOf(file))
      for (let at = bytes.indexOf(newline); at >= 0; at = bytes.indexOf(newline, at + 1)) rows++
    if (rows !== scored) throw damagedPart(part, file, `has ${rows} rows, and ${scored} were scored`)
  }
  return () => {
    files.begin(path)
    for (const { file } of sources) for (const bytes of slicesOf(file)) files.write(path, bytes)
  }
}

/** The bytes of a file, of which as many as a slice has are in memory at a time. */
function* slicesOf(file: string): Generator<Buffer> {
  const descriptor = openFile(file)
  try {
    const buffer = Buffer.alloc(slice)
    for (;;) {
      const bytes = buffer.subarray(0, readSync(descriptor, buffer, 0, slice, null))
      if (bytes.length === 0) return
      yield bytes
    }
  } finally {
    closeSync(descriptor)
  }
}

const byTask = z.record(z.string(), z.unknown())
/** What such a file tells task by task, in its order. */
const told = {
  results: byTask,
  group_subtasks: byTask,
  configs: byTask,
  versions: byTask,
  'n-shot': byTask,
  higher_is_better: byTask,
  'n-samples': z.record(taskKey, z.object({ original: z.int(), effective: z.int() })),
}
const lmEvalSchema = z.looseObject({
  ...told,
  groups: byTask.optional(),
  date: z.number(),
  total_evaluation_time_seconds: z.string(),
})
type LmEval = z.infer<typeof lmEvalSchema>

/**
 * Writes the scores of all parts in the layout of lm-evaluation-harness.
 *
 * @param withRows whether parts have kept single rows, which are written beside them
 * @throws SecateurError where a part's file is missing or damaged
 */
export function joinLmEval(
  files: StagedFiles,
  path: string,
  results: readonly PartResult[],
  withRows: boolean,
): Write[] {
  const found = results.map(({ part }) => lmEvalOf(part))
  const { groups: _, date: __, total_evaluation_time_seconds: ___, ...rest } = found[0]!
  const joined = (name: keyof typeof told | 'groups') =>
    Object.assign({}, ...found.map((file) => file[name] ?? {})) as object
  const groups = joined('groups')
  const parts = Object.fromEntries((Object.keys(told) as (keyof typeof told)[]).map((name) => [name, joined(name)]))
  const config = Object.fromEntries(Object.entries(rest).filter(([name]) => !Object.hasOwn(told, name)))
  const { config: settings, ...facts } = config
  const whole = {
    ...parts,
    ...(Object.keys(groups).length > 0 && { groups }),
    config: settings,
    date: Date.now() / 1000,
    ...facts,
    total_evaluation_time_seconds: String(sum(found.map((file) => Number(file.total_evaluation_time_seconds)))),
  }
  const rows = withRows ? results.flatMap(({ part }, at) => joinSamples(files, path, part, found[at]!)) : []
  return [() => files.write(path, `${JSON.stringify(whole, null, 2)}\n`), ...rows]
}

function lmEvalOf(part: Part): LmEval {
  const file = join(part.job.out, partFiles.lmEval)
  if (!existsSync(file)) throw damagedPart(part, file, 'is missing')
  return readOfPart(part, () => readJson(file, lmEvalSchema, { maxBytes: mostLmEvalBytes }))
}

/** Copies the single rows of a part, of which a task of subjects has a file for each, to where the evaluation wants them. */
const joinSamples = (files: StagedFiles, path: string, part: Part, { 'n-samples': samples }: LmEval): Write[] =>
  Object.entries(samples).map(([task, { effective }]) => {
    const file = samplesFile(join(part.job.out, partFiles.lmEval), task)
    return rowsInto(files, samplesFile(path, task), [{ part, file, scored: effective }])
  })
