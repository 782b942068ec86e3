import { join } from 'node:path'
import type { TaskName } from '../engine/evaluation/tasks/index.ts'

const files: Record<TaskName, string> = {
  boolq: 'boolq/dev.jsonl',
  piqa: 'piqa/valid.jsonl',
  hellaswag: 'hellaswag/hellaswag_val.jsonl',
  winogrande: 'winogrande/dev.jsonl',
  arc_easy: 'arc/ARC-Easy-Test.jsonl',
  arc_challenge: 'arc/ARC-Challenge-Test.jsonl',
  openbookqa: 'openbookqa/test.jsonl',
}

/** The sample's file of a task. */
export const sampleTaskFile = (name: TaskName): string =>
  join(import.meta.dirname, '../resources/sample/tasks', files[name])
