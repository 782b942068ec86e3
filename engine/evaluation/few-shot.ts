import { isDeepStrictEqual } from 'node:util'
import { badSetting } from '../shared/errors.ts'
import type { PythonRandom } from '../shared/python-random.ts'
import type { EvaluationMode } from './select.ts'
import type { Task, TaskRow } from './tasks/task.ts'

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

/** What a draw follows from, besides the rows. */
export interface Draw {
  task: Pick<Task, 'testSplit' | 'numbered'>
  mode: EvaluationMode
  random: PythonRandom
}

/**
 * What stands before the context of row `index`: the description and the examples drawn for it, in both harnesses'
 * layout.
 *
 * @throws SecateurError where there are too few rows to draw from.
 */
export function fewShotText(
  index: number,
  rows: readonly TaskRow[],
  { count, examples, description }: FewShot,
  draw: Draw,
): string {
  const drawn = count === 0 ? [] : drawExamples(index, rows, count, examples, draw)
  const texts = drawn.map(({ contexts, choices, gold }) => `${contexts[gold]} ${choices[gold]}`)
  return [...(description ? [description] : []), ...texts].map((text) => `${text}\n\n`).join('')
}

/**
 * The modern harness draws one example more than needed, and drops the row itself if it is among them, for every task
 * without a test split: it takes the split to draw from, which these tasks do not name, for the one that is scored. From
 * a train file the row is hardly ever drawn, but the one more changes what every later row gets.
 */
function drawExamples(
  index: number,
  rows: readonly TaskRow[],
  count: number,
  examples: readonly TaskRow[] | undefined,
  { task, mode, random }: Draw,
): TaskRow[] {
  const source = examples ?? rows
  const avoids = examples === undefined || (mode === 'modern' && !task.testSplit)
  const take = avoids ? count + 1 : count
  if (take > source.length) {
    const why = avoids ? ': one more is drawn than needed, to leave out the row itself' : ''
    throw badSetting(
      'few-shot',
      `${count} examples a row cannot be drawn from ${source.length} rows${why}; ask for fewer, or give more rows`,
    )
  }
  const row = rows[index]
  const isRow = (at: number) => (!task.numbered || at === index) && isDeepStrictEqual(source[at], row)
  const drawn = random.sample(source.length, take)
  const kept = (avoids ? drawn.filter((at) => !isRow(at)) : drawn).slice(0, count)
  return kept.map((at) => source[at]!)
}
