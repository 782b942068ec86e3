import { z } from 'zod'
import { arcChallenge, arcEasy } from './arc.ts'
import { boolq } from './boolq.ts'
import { hellaswag } from './hellaswag.ts'
import { openbookqa } from './openbookqa.ts'
import { piqa } from './piqa.ts'
import type { Task } from './task.ts'
import { winogrande } from './winogrande.ts'

export const taskNames = [
  'boolq',
  'piqa',
  'hellaswag',
  'winogrande',
  'arc_easy',
  'arc_challenge',
  'openbookqa',
] as const

export const taskName = z.enum(taskNames)

export type TaskName = z.infer<typeof taskName>

/** The zero-shot tasks in the order of the pruning papers' tables, by the names that the evaluation harness gives them. */
export const tasks: Readonly<Record<TaskName, Task>> = {
  boolq,
  piqa,
  hellaswag,
  winogrande,
  arc_easy: arcEasy,
  arc_challenge: arcChallenge,
  openbookqa,
}
