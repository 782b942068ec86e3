import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { TaskName } from '../../../engine/contract/index.ts'

const shared = join(import.meta.dirname, '../../../../shared')

/** Path of a file of the shared test data. */
export const data = (path: string) => join(shared, 'data', path)

export const specification = join(shared, 'reference/evaluation.md')

/** For `test`'s options: skips where the shared test data is missing. */
export const needsData = { skip: existsSync(shared) ? false : 'the shared test data is not on this machine' }

/** The task files that the oracle and the specification's examples count rows of. */
export const taskFiles = {
  boolq: data('boolq/dev.jsonl'),
  piqa: data('piqa/valid.jsonl'),
  hellaswag: data('hellaswag/hellaswag_val_1000.jsonl'),
  winogrande: data('winogrande/dev.jsonl'),
  arc_easy: data('arc/ARC-Easy-Test.jsonl'),
  arc_challenge: data('arc/ARC-Challenge-Test.jsonl'),
  openbookqa: data('openbookqa/test.jsonl'),
} as const satisfies Partial<Record<TaskName, string>>

/** The seven tasks of the pruning papers. */
export type SevenTask = keyof typeof taskFiles

const oracleRow = z.object({
  row: z.number(),
  gold: z.number(),
  lls: z.array(z.number()),
  pred: z.number(),
  pred_norm: z.number().optional(),
  char_lengths: z.array(z.number()).optional(),
  requests: z.array(
    z.object({
      context: z.string(),
      continuation: z.string(),
      context_ids: z.array(z.number()),
      continuation_ids: z.array(z.number()),
      token_loglikelihoods: z.array(z.number()),
    }),
  ),
})

const oracle = z.object({
  max_length: z.number(),
  results: z.array(
    z.object({
      task: z.enum(Object.keys(taskFiles) as [SevenTask]),
      mode: z.enum(['modern', 'legacy']),
      acc: z.number(),
      acc_stderr: z.number(),
      acc_norm: z.number().optional(),
      acc_norm_stderr: z.number().optional(),
      rows: z.array(oracleRow),
    }),
  ),
})

/** Five rows of every task in both modes, computed in float64 by other hands. */
export const readOracle = () => oracle.parse(JSON.parse(readFileSync(data('stories260K/oracle_tasks.json'), 'utf8')))

export interface WorkedExample {
  task: SevenTask
  row: number
  gold: number
  contexts: string[]
  continuations: string[]
  lengths: number[]
  /** Of the gold choice with the 32k Llama tokenizer: modern context and continuation, legacy context and continuation. */
  ids: IdSketch[]
}

/** The first and last ids of a sequence and how many there are. */
export interface IdSketch {
  first: number[]
  last: number[]
  count: number
}

/** The worked examples of the specification, from its text. */
export function readWorkedExamples(): WorkedExample[] {
  const section = readFileSync(specification, 'utf8').split('## 9.')[1]!
  return section
    .split(/^### /m)
    .slice(1)
    .flatMap((part) => {
      const task = /^\w+/.exec(part)![0] as SevenTask
      return part
        .split(/^Row /m)
        .slice(1)
        .map((text) => readExample(task, text))
    })
}

function readExample(task: SevenTask, text: string): WorkedExample {
  const strings = (label: string) =>
    [...text.matchAll(new RegExp(`^${label}[ 0-9]*: +(".*")(?: |$)`, 'gm'))].map(([, json]) =>
      z.string().parse(JSON.parse(json!.replace(/" +\(norm.*$/, '"'))),
    )
  return {
    task,
    row: Number.parseInt(text, 10),
    gold: Number(/gold index (\d)/.exec(text)![1]),
    contexts: strings('context'),
    continuations: strings('continuation'),
    lengths: [...text.matchAll(/norm length (\d+)/g)].map(([, length]) => Number(length)),
    ids: [...text.matchAll(/ ids \[([^\]]*)\]/g)].map(([, list]) => readIds(list!)),
  }
}

function readIds(list: string): IdSketch {
  const [, first, count, last] = /^(.*), \.\.\. \((\d+) ids\) \.\.\., (.*)$/.exec(list) ?? []
  if (!first || !last) return { first: numbers(list), last: numbers(list), count: numbers(list).length }
  return { first: numbers(first), last: numbers(last), count: Number(count) }
}

const numbers = (part: string) => part.split(',').map(Number)
