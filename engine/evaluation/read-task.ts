import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import { type PlacedRow, readPlacedRows, readRows } from '../data/rows.ts'
import { badFile } from '../shared/errors.ts'
import { taskDescriptions, type TaskName } from '../contract/index.ts'
import { type MmluSplit, readMmlu } from './read-mmlu.ts'
import { tasks } from './tasks/index.ts'
import { FieldError, type TaskRow } from './tasks/task.ts'

/**
 * All rows of a task's file (of MMLU, of a split of its files) in file order, from the official layout or from that of Hugging Face, told apart by the
 * fields; JSON lines, JSON or Parquet. Errors name the file, the line (or row) and the field: a field that is missing or
 * wrong, a test split without answers, labels beside the file that do not match it, a file without rows.
 */
export async function readTask(
  name: TaskName,
  file: string,
  signal?: AbortSignal,
  split: MmluSplit = 'test',
): Promise<TaskRow[]> {
  const task = tasks[name]
  const { title } = taskDescriptions[name]
  const rows: TaskRow[] = []
  let labels: Labels | null = null
  const placedRows = name === 'mmlu' ? readMmlu(file, split, signal) : readPlacedRows(file, signal ? { signal } : {})
  for await (const placed of placedRows) {
    const { row } = placed
    const index = rows.length
    if (task.labelsBeside && row['label'] === undefined) {
      labels ??= await readLabels(file, signal)
      if (index < labels.values.length) row['label'] = labels.values[index]
      else if (labels.values.length > 0) throw unequal(labels, `more than ${index}`)
    }
    rows.push(parse(placed))
  }
  if (rows.length === 0) throw badFile(file, undefined, `holds no rows; a row of ${title} has ${task.fields}`)
  if (labels && labels.values.length !== rows.length) throw unequal(labels, String(rows.length))
  return rows

  function parse({ row, place, file: from = file }: PlacedRow & { file?: string }): TaskRow {
    try {
      return task.parse(row)
    } catch (error) {
      if (!(error instanceof FieldError)) throw error
      throw badFile(from, `${place}, ${error.field}`, `${error.message} (read as ${title})`)
    }
  }

  function unequal({ file: labelFile, values }: Labels, count: string) {
    return badFile(labelFile, undefined, `holds ${values.length} labels, but ${basename(file)} has ${count} rows`)
  }
}

interface Labels {
  file: string
  values: string[]
}

/** Where the answers of a task lie whose rows do not hold them: `NAME-labels.lst` beside `NAME.jsonl`. */
export const labelFileOf = (file: string): string =>
  `${file.replace(/\.gz$/, '').replace(/\.[^./\\]+$/, '')}-labels.lst`

/** Labels of `NAME.jsonl` from `NAME-labels.lst`; none where there is no such file. */
async function readLabels(file: string, signal?: AbortSignal): Promise<Labels> {
  const labelFile = labelFileOf(file)
  const values: string[] = []
  if (existsSync(labelFile)) {
    for await (const row of readRows(labelFile, signal ? { signal } : {})) values.push(String(row['text']).trim())
    while (values.at(-1) === '') values.pop()
  }
  return { file: labelFile, values }
}
