import { z } from 'zod'

/** What is said of a zero-shot task without reading a row of it; how rows are read is evaluation/tasks. */
export interface TaskDescription<Name extends string = string> {
  /** The name that the evaluation harness gives it. */
  readonly name: Name
  readonly title: string
  /** What it asks of a model. */
  readonly asks: string
  /** Whether it reports acc_norm beside acc. */
  readonly normalised: boolean
  /** The metric that tables of pruning papers show for it. */
  readonly published: 'acc' | 'accNorm'
}

const describe = <const Name extends string>(task: TaskDescription<Name>): TaskDescription<Name> => task

/** In the order of the pruning papers' tables. */
const list = [
  describe({
    name: 'boolq',
    title: 'BoolQ',
    asks: 'yes or no, after a passage',
    normalised: false,
    published: 'acc',
  }),
  describe({
    name: 'piqa',
    title: 'PIQA',
    asks: 'which of two ways reaches a goal in the physical world',
    normalised: true,
    published: 'acc',
  }),
  describe({
    name: 'hellaswag',
    title: 'HellaSwag',
    asks: 'which of four endings a description has',
    normalised: true,
    published: 'accNorm',
  }),
  describe({
    name: 'winogrande',
    title: 'WinoGrande',
    asks: 'which of two names a blank stands for',
    normalised: false,
    published: 'acc',
  }),
  describe({
    name: 'arc_easy',
    title: 'ARC-Easy',
    asks: 'science questions of a school, the easier ones',
    normalised: true,
    published: 'acc',
  }),
  describe({
    name: 'arc_challenge',
    title: 'ARC-Challenge',
    asks: 'science questions of a school that look-up and word counts get wrong',
    normalised: true,
    published: 'accNorm',
  }),
  describe({
    name: 'openbookqa',
    title: 'OpenBookQA',
    asks: 'elementary science questions that need a fact and common sense',
    normalised: true,
    published: 'accNorm',
  }),
] as const

export type TaskName = (typeof list)[number]['name']
export const taskList: readonly TaskDescription<TaskName>[] = list
export const taskNames = list.map(({ name }) => name) as [TaskName, ...TaskName[]]
export const taskName = z.enum(taskNames)

/** The same by name. */
export const taskDescriptions = Object.fromEntries(list.map((task) => [task.name, task])) as Record<
  TaskName,
  TaskDescription<TaskName>
>
