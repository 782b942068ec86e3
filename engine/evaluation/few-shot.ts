import { isDeepStrictEqual } from 'node:util'
import { badSetting } from '../shared/errors.ts'
import type { PythonRandom } from '../shared/python-random.ts'
import type { EvaluationMode } from './select.ts'
import type { ScoredTask } from './scored-task.ts'
import type { TaskRow } from './tasks/task.ts'

export interface FewShot {
  /** Examples before each row. */
  count: number
  /**
   * Rows to draw examples from: the train split. Without them they are drawn from the scored rows themselves, where a row
   * is never its own example.
   */
  examples?: readonly TaskRow[]
  /** Takes the first examples of the file, those of the row's subject where it has one, instead of drawing some. */
  first?: boolean
  /** Leaves out the row itself where it is drawn from a file of examples, since that is the file that is scored. */
  avoids?: boolean
  /** Seed of the draw in modern mode (default 1234, the harness's); legacy mode goes on with the one that shuffled. */
  seed?: number
  /** Text in front of a row and its examples, as it stands. */
  description?: (row: TaskRow) => string
}

/** What a draw follows from, besides the rows. */
export interface Draw {
  task: Pick<ScoredTask, 'testSplit' | 'numbered' | 'delimiter' | 'exampleDelimiter'>
  mode: EvaluationMode
  random: PythonRandom
}

/**
 * What stands before the context of row `index`: the description and the examples drawn for it, in both harnesses'
 * layout.
 *
 * @throws SecateurError where there are too few rows to draw from.
 */
export function fewShotText(index: number, rows: readonly TaskRow[], shots: FewShot, draw: Draw): string {
  const { delimiter, exampleDelimiter } = draw.task
  const before = shots.description?.(rows[index]!) ?? ''
  if (shots.count === 0) return before
  const examples = shots.first ? firstExamples(rows[index]!, shots) : drawExamples(index, rows, shots, draw)
  const texts = examples.map(({ contexts, choices, gold }) => contexts[gold] + delimiter + choices[gold])
  return before + texts.map((text) => text + exampleDelimiter).join('')
}

function firstExamples(row: TaskRow, { count, examples = [], avoids = false }: FewShot): TaskRow[] {
  const own = examples.filter((each) => each.part === row.part && !(avoids && isDeepStrictEqual(each, row)))
  if (own.length >= count) return own.slice(0, count)
  const what = row.part === undefined ? 'there are' : `${row.part} has`
  throw badSetting('few-shot', `${count} examples are asked for, but ${what} ${own.length}; ask for fewer`)
}

/**
 * The modern harness draws one example more than needed, and drops the row itself if it is among them, for every task
 * without a test split: it takes the split to draw from, which these tasks do not name, for the one that is scored. From
 * a train file the row is hardly ever drawn, but the one more changes what every later row gets.
 */
function drawExamples(
  index: number,
  rows: readonly TaskRow[],
  { count, examples, avoids: avoidsOwn = false }: FewShot,
  { task, mode, random }: Draw,
): TaskRow[] {
  const source = examples ?? rows
  const avoids = examples === undefined || avoidsOwn || (mode === 'modern' && !task.testSplit)
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
  if (kept.length === count || mode === 'legacy') return kept.map((at) => source[at]!)
  // More than one row of the same text was drawn and left out: the modern harness draws again from all others.
  const others = source.filter((_, at) => !isRow(at))
  if (others.length < count)
    throw badSetting(
      'few-shot',
      `row ${index}: fewer than ${count} rows are another than this one; ask for fewer examples`,
    )
  return random.sample(others.length, count).map((at) => others[at]!)
}
