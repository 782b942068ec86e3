import { setImmediate } from 'node:timers/promises'
import { type PlacedRow, readPlacedRows } from '../../data/rows.ts'
import { badFile } from '../../shared/errors.ts'
import type { FewShot } from '../few-shot.ts'
import type { ScoredTask } from '../scored-task.ts'
import { FieldError, type TaskRow } from '../tasks/task.ts'
import { docReader, type DocReader } from './doc-templates.ts'
import { readTaskFile, scoredSplit, splitFile, type TaskFile } from './task-file.ts'

export interface OwnTask {
  task: ScoredTask
  rows: TaskRow[]
  shots: FewShot
  /** The data file that is scored. */
  file: string
  /** The task file as it was read, for those who write it down. */
  config: TaskFile
}

/** What a job says of examples, over the task file. */
export interface OwnShots {
  count: number | undefined
  /** A file in place of that of `fewshot_split`. */
  from: string | undefined
}

/**
 * A task of the user's own: all rows of its data file in file order, with the examples that stand in front of them.
 *
 * @throws SecateurError that names the file, the row and the field; of a wrong template the task file and its field
 */
export async function readOwnTask(
  name: string,
  taskFile: string,
  asked: OwnShots,
  signal?: AbortSignal,
): Promise<OwnTask> {
  const config = readTaskFile(name, taskFile)
  const scored = scoredSplit(taskFile, config)
  const file = splitFile(taskFile, config, scored)
  const { rows, reader } = await readRowsBy(taskFile, config, file, signal)
  const { target_delimiter: delimiter, fewshot_delimiter: exampleDelimiter, metric_list: metrics } = config
  const task: ScoredTask = {
    name,
    title: name,
    asks: 'choices',
    normalised: metrics === undefined || metrics.some(({ metric }) => metric === 'acc_norm'),
    delimiter,
    exampleDelimiter,
    testSplit: true,
    numbered: false,
  }
  const description = config.description ? { description: (row: TaskRow) => reader.descriptionOf(row.doc!) } : {}
  const shots = { ...(await examplesOf(taskFile, config, scored, asked, signal)), ...description }
  return { task, rows, shots, file, config }
}

/** The harness leaves the number of a task that says 0 as it is. */
const countOf = ({ num_fewshot: own }: TaskFile, { count }: OwnShots): number => (own === 0 ? 0 : (count ?? own ?? 0))

async function examplesOf(
  taskFile: string,
  config: TaskFile,
  scored: string,
  asked: OwnShots,
  signal: AbortSignal | undefined,
): Promise<FewShot> {
  const count = countOf(config, asked)
  if (count === 0) return { count }
  const { fewshot_split: split, test_split: tested, fewshot_config: how } = config
  const first = how?.sampler === 'first_n'
  if (asked.from !== undefined) {
    const { rows: examples } = await readRowsBy(taskFile, config, asked.from, signal)
    return { count, examples, first }
  }
  if (split == null)
    throw badFile(taskFile, 'fewshot_split', 'is missing: it names which of data_files has the examples')
  if (split === scored && tested == null)
    throw badFile(
      taskFile,
      'fewshot_split',
      'is the split that is scored: call it test_split, so that no row is its own example, or name another',
    )
  const { rows: examples } = await readRowsBy(taskFile, config, splitFile(taskFile, config, split), signal)
  return { count, examples, first, avoids: split === tested }
}

async function readRowsBy(
  taskFile: string,
  config: TaskFile,
  file: string,
  signal: AbortSignal | undefined,
): Promise<{ rows: TaskRow[]; reader: DocReader }> {
  const rows: TaskRow[] = []
  let reader: DocReader | null = null
  for await (const placed of readPlacedRows(file, signal ? { signal } : {})) {
    reader ??= docReader(taskFile, config, placed.row)
    // Templates may take long, and a stop must still be heard.
    if (rows.length % 64 === 63) await setImmediate()
    signal?.throwIfAborted()
    rows.push(rowAt(reader, file, placed))
  }
  if (reader) return { rows, reader }
  throw badFile(file, undefined, `holds no rows; ${taskFile} reads its questions from it`)
}

function rowAt(reader: DocReader, file: string, { row, place }: PlacedRow): TaskRow {
  try {
    // A description that cannot be rendered is a fault of the row too.
    reader.descriptionOf(row)
    return reader.rowOf(row)
  } catch (error) {
    if (!(error instanceof FieldError)) throw error
    throw badFile(file, `${place}, ${error.field}`, error.message)
  }
}
