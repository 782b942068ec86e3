import { isDeepStrictEqual } from 'node:util'
import { badSetting } from '../shared/errors.ts'
import type { PythonRandom } from '../shared/python-random.ts'
import type { TaskRow } from './tasks/task.ts'

export interface FewShot {
  /** Examples before each row. */
  count: number
  /**
   * Rows to draw examples from: the train split. Without them they are drawn from the scored rows themselves, where a row
   * is never its own example.
   */
  examples?: readonly TaskRow[]
  /** Seed of the draw in modern mode (default 1234, the harness's); legacy mode goes on with the one that shuffled. */
  seed?: number
  /** Text in front of all examples. */
  description?: string
}

/** What stands before a row's own context: the description and the examples drawn for it, in both harnesses' layout. */
export function fewShotText(
  row: TaskRow,
  rows: readonly TaskRow[],
  { count, examples, description }: FewShot,
  random: PythonRandom,
): string {
  const drawn = count === 0 ? [] : draw(row, rows, count, examples, random)
  const texts = drawn.map(({ contexts, choices, gold }) => `${contexts[gold]} ${choices[gold]}`)
  return [...(description ? [description] : []), ...texts].map((text) => `${text}\n\n`).join('')
}

function draw(
  row: TaskRow,
  rows: readonly TaskRow[],
  count: number,
  examples: readonly TaskRow[] | undefined,
  random: PythonRandom,
): TaskRow[] {
  // From the scored rows one more is drawn than needed, to leave out the row itself.
  const [source, take] = examples ? [examples, count] : [rows, count + 1]
  if (take > source.length) {
    throw badSetting('shots', `${count} examples a row cannot be drawn from ${source.length} rows; give fewer shots`)
  }
  const drawn = random.sample(source.length, take).map((index) => source[index]!)
  return (examples ? drawn : drawn.filter((example) => !isDeepStrictEqual(example, row))).slice(0, count)
}
