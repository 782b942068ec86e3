import { join } from 'node:path'
import type { TaskName } from '../engine/contract/index.ts'

const files = {
  boolq: 'boolq/dev.jsonl',
  piqa: 'piqa/valid.jsonl',
  hellaswag: 'hellaswag/hellaswag_val.jsonl',
  winogrande: 'winogrande/dev.jsonl',
  arc_easy: 'arc/ARC-Easy-Test.jsonl',
  arc_challenge: 'arc/ARC-Challenge-Test.jsonl',
  openbookqa: 'openbookqa/test.jsonl',
} as const satisfies Partial<Record<TaskName, string>>

/** The tasks that the sample has questions of. */
export type SampleTask = keyof typeof files
export const sampleTasks = Object.keys(files) as SampleTask[]

/** The sample's file of a task. */
export const sampleTaskFile = (name: SampleTask): string =>
  join(import.meta.dirname, '../resources/sample/tasks', files[name])
