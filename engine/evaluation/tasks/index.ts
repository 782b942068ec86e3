import type { TaskName } from '../../contract/index.ts'
import { arc } from './arc.ts'
import { boolq } from './boolq.ts'
import { hellaswag } from './hellaswag.ts'
import { lambada } from './lambada.ts'
import { mmlu } from './mmlu.ts'
import { openbookqa } from './openbookqa.ts'
import { piqa } from './piqa.ts'
import type { Task } from './task.ts'
import { winogrande } from './winogrande.ts'

/** The computation of every task of the contract. */
export const tasks: Readonly<Record<TaskName, Task>> = {
  boolq,
  piqa,
  hellaswag,
  winogrande,
  arc_easy: arc,
  arc_challenge: arc,
  openbookqa,
  mmlu,
  lambada_openai: lambada,
  lambada_standard: lambada,
}
