import { readdirSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { readCsv } from '../data/csv.ts'
import { openParquet } from '../data/parquet-file.ts'
import { type PlacedRow, readPlacedRows } from '../data/rows.ts'
import { badFile } from '../shared/errors.ts'
import { openFileHandle } from '../shared/open-file.ts'
import { explained } from '../shared/system-errors.ts'

/** `test` is scored; `dev` holds the five solved examples of each subject. */
export type MmluSplit = 'test' | 'dev'

export interface MmluRow extends PlacedRow {
  file: string
}

/**
 * The rows of a split of MMLU, in the columns that Hugging Face gives them (question, subject, choices, answer), from
 * - the folder of the original archive: `data/test/anatomy_test.csv`, a file for each subject, without a header
 * - a folder of the Hub: `all/test-00000-of-00001.parquet`, or such files in a folder for each subject
 * - one file of either, or JSON lines with these columns
 *
 * @throws SecateurError where a folder holds no such file, or a line of CSV is none
 */
export async function* readMmlu(path: string, split: MmluSplit, signal?: AbortSignal): AsyncGenerator<MmluRow> {
  for (const file of mmluFiles(path, split)) {
    if (!file.toLowerCase().endsWith('.csv')) {
      for await (const placed of readPlacedRows(file, signal ? { signal } : {})) yield { ...placed, file }
      continue
    }
    const subject = basename(file).replace(/(_(test|dev|val))?\.csv$/i, '')
    for (const { cells, line } of await readCsv(file, signal)) {
      const place = `line ${line}`
      if (cells.length !== 6) {
        throw badFile(
          file,
          place,
          `has ${cells.length} columns; a row of MMLU has a question, four choices and a letter`,
        )
      }
      const [question, a, b, c, d, answer] = cells
      yield { row: { question, subject, choices: [a, b, c, d], answer }, place, file }
    }
  }
}

/** The files of a split, in the order of their subjects. */
export function mmluFiles(path: string, split: MmluSplit): string[] {
  const files = isFolder(path) ? inFolder(path, split) : split === 'test' ? [path] : devBeside(path)
  if (files.length > 0) return files
  const wanted = split === 'test' ? 'to score' : 'of solved examples'
  throw badFile(
    path,
    undefined,
    `has no files ${wanted}: a folder of MMLU holds ${split}/SUBJECT_${split}.csv or ${split}-00000-of-00001.parquet` +
      (split === 'dev' ? '; name where they are with --few-shot-from mmlu=PATH, or ask for --few-shot 0' : ''),
  )
}

/** Whether a folder is laid out as MMLU is; Parquet files of the Hub are told from others by their columns. */
export async function isMmluFolder(path: string): Promise<boolean> {
  const [first] = inFolder(path, 'test')
  if (first === undefined || /\.csv$/i.test(first)) return first !== undefined
  await using handle = await openFileHandle(first)
  const { blankRow } = await openParquet(handle, first)
  return ['question', 'subject', 'choices', 'answer'].every((name) => name in blankRow)
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch (error) {
    throw explained(path, error)
  }
}

function inFolder(path: string, split: MmluSplit): string[] {
  const ofArchive = new RegExp(`_${split}\\.csv$`)
  for (const folder of [path, join(path, split), join(path, 'data', split)]) {
    const files = namesIn(folder).filter((name) => ofArchive.test(name))
    if (files.length > 0) return files.map((name) => join(folder, name))
  }
  const parquet = new RegExp(`^${split}-.*\\.parquet$`)
  const ofHub = (folder: string) => {
    const names = namesIn(folder).filter((name) => parquet.test(name))
    return names.map((name) => join(folder, name))
  }
  for (const folder of [path, join(path, 'all')]) if (ofHub(folder).length > 0) return ofHub(folder)
  return namesIn(path).flatMap((name) => ofHub(join(path, name)))
}

/** The dev split beside a file of the test split. */
function devBeside(file: string): string[] {
  const [name, folder] = [basename(file), dirname(file)]
  const csv = /^(.*)_test\.csv$/i.exec(name)
  if (csv) {
    const wanted = `${csv[1]}_dev.csv`
    for (const place of [folder, join(folder, '..', 'dev')])
      if (namesIn(place).includes(wanted)) return [join(place, wanted)]
    return []
  }
  const wanted = /^dev\b.*\.(parquet|jsonl|ndjson|json)(\.gz)?$/i
  return namesIn(folder)
    .filter((each) => each !== name && wanted.test(each))
    .map((each) => join(folder, each))
}

/** Names in a folder, in order; none of what is no folder. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).toSorted()
  } catch {
    return []
  }
}
