import { z } from 'zod'
import { isPlainName } from './names.ts'

/** What is said of a task without reading a row of it; how rows are read is evaluation/tasks. */
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
  /** Solved examples in front of each row unless a job says how many; null for a task that is scored without any. */
  readonly examples: number | null
  /** Whether it is a folder of files, or one file. */
  readonly reads: 'file' | 'folder or file'
}

const describe = <const Name extends string>(
  task: Omit<TaskDescription<Name>, 'examples' | 'reads'> & Partial<TaskDescription<Name>>,
): TaskDescription<Name> => ({ examples: 0, reads: 'file', ...task })

/** The seven in the order of the pruning papers' tables, and others. */
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
  describe({
    name: 'mmlu',
    title: 'MMLU',
    asks: 'examination questions of 57 subjects, after five solved ones of the same subject',
    normalised: false,
    published: 'acc',
    examples: 5,
    reads: 'folder or file',
  }),
  describe({
    name: 'lambada_openai',
    title: 'LAMBADA (OpenAI)',
    asks: 'the last word of a passage of a novel',
    normalised: false,
    published: 'acc',
    examples: null,
  }),
  describe({
    name: 'lambada_standard',
    title: 'LAMBADA (standard)',
    asks: 'the last word of a passage of a novel, in the tokens of the original',
    normalised: false,
    published: 'acc',
    examples: null,
  }),
] as const

export type TaskName = (typeof list)[number]['name']
export const taskList: readonly TaskDescription<TaskName>[] = list
export const taskNames = list.map(({ name }) => name) as [TaskName, ...TaskName[]]
export const taskName = z.enum(taskNames)

/** A task of this list, or one of the user's own by any other name; what scores are kept by. */
export const taskKey = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/,
    'the name of a task is at most 64 letters, digits, - and _, and starts with a letter or digit',
  )
  .refine(isPlainName, 'name the task otherwise: this word means something else to JavaScript')
/** Something by a name; a wrong name says why. */
export const byName = <Value extends z.ZodType>(name: z.ZodString, value: Value) =>
  z.record(name, value, {
    error: (issue) => (issue.code === 'invalid_key' ? issue.issues?.[0]?.message : undefined),
  })
/** Something for each of several tasks. */
export const byTask = <Value extends z.ZodType>(value: Value) => byName(taskKey, value)
export const isTaskName = (name: string): name is TaskName => Object.hasOwn(taskDescriptions, name)

/** The same by name. */
export const taskDescriptions = Object.fromEntries(list.map((task) => [task.name, task])) as Record<
  TaskName,
  TaskDescription<TaskName>
>

/** Solved examples in front of each row of a task; of one of the user's own, whose file may say how many, those that are asked for. */
export const examplesOf = (name: string, fewShot: number | undefined): number =>
  fewShot ?? (isTaskName(name) ? (taskDescriptions[name].examples ?? 0) : 0)

/** Title of a task; one of the user's own goes by its name. */
export const titleOfTask = (name: string): string => (isTaskName(name) ? taskDescriptions[name].title : name)
