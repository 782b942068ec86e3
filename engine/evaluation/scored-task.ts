import { taskDescriptions, type TaskName } from '../contract/index.ts'
import { tasks } from './tasks/index.ts'
import type { Task, TaskRow } from './tasks/task.ts'

/** What scoring asks of a task besides its rows. */
export interface ScoredTask extends Pick<Task, 'testSplit' | 'numbered' | 'doubt'> {
  name: string
  title: string
  /**
   * - `choices`: which of several texts is the likeliest
   * - `word`: whether one text is what the model would write, and how likely it is
   */
  asks: 'choices' | 'word'
  /** Reports acc_norm beside acc. */
  normalised: boolean
  /** What stands between a context and what is scored after it. */
  delimiter: string
  /** What stands after each solved example. */
  exampleDelimiter: string
}

/** What is scored of a task of the contract. */
export function scoredTask(name: TaskName): ScoredTask {
  const { title, normalised, examples } = taskDescriptions[name]
  const { testSplit, numbered, doubt } = tasks[name]
  return {
    name,
    title,
    asks: examples === null ? 'word' : 'choices',
    normalised,
    delimiter: ' ',
    exampleDelimiter: '\n\n',
    testSplit,
    numbered,
    ...(doubt && { doubt: (rows: readonly TaskRow[]) => doubt(rows) }),
  }
}
