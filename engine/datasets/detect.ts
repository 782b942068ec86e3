import { existsSync, readdirSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Dataset, DatasetKind, ParsedServiceParams } from '../contract/index.ts'
import { isConversation, messageFieldOf } from '../data/conversation.ts'
import { listImages } from '../data/image-files.ts'
import { layoutOf } from '../data/images/image-layout.ts'
import { isImageList } from '../data/images/image-set.ts'
import { holdsImages } from '../data/images/parquet-columns.ts'
import { readBytes, splitLines } from '../data/lines.ts'
import { openParquet } from '../data/parquet-file.ts'
import { formatOf, readRows, type Row, type RowFormat } from '../data/rows.ts'
import { textFields, textOf } from '../data/text.ts'
import { labelFileOf } from '../evaluation/read-task.ts'
import { tasks } from '../evaluation/tasks/index.ts'
import { type TaskName, taskNames } from '../contract/index.ts'
import { badFile, type SecateurError } from '../shared/errors.ts'
import { openFileHandle } from '../shared/open-file.ts'
import { explained } from '../shared/system-errors.ts'
import type { WorkControl } from '../shared/work-control.ts'
import { factsOfParts, openParts } from './describe-images.ts'
import { type Questions, questionsAt } from './questions.ts'

/** Rows that are looked at, and the longest of them. */
const looked = 20
const rowLimit = 16 * 2 ** 20
/** Rows of larger files are not counted, and row groups that unpack to more are not unpacked. */
const countedBytes = 32 * 2 ** 20
const unpackedBytes = 64 * 2 ** 20

const formats = { 'lines of JSON': 'jsonl', JSON: 'json', Parquet: 'parquet', text: 'text' } as const

/** Format and kind of a data file or a folder of images, from its first rows: a big file is never read whole. */
export async function detectDataset(
  { path }: ParsedServiceParams<'detectDataset'>,
  { signal }: WorkControl,
): Promise<Dataset> {
  try {
    const found = await stat(path)
    const questions = await questionsAt(path)
    if (questions) return await detectQuestions(questions, signal)
    if (found.isDirectory()) return await detectImages(path, 'images', signal)
    const format = await formatOf(path)
    if (format === 'Parquet' && (await holdsImages(path))) return await detectImages(path, 'parquet', signal)
    if (format === 'text' && (await isImageList(path))) return await detectImages(path, 'images', signal)
    const { rows, count } = await headOf(path, format, found.size, signal)
    refuseConfig(path, rows, count)
    const fields = format === 'text' ? [] : [...new Set(rows.flatMap((row) => Object.keys(row)))]
    return {
      format: formats[format],
      ...kindOf(path, rows),
      fields,
      rows: count,
      bytes: found.size,
    }
  } catch (error) {
    throw explained(path, error)
  }
}

/** What a model's folder has beside its weights is JSON with text in it, and no data. */
function refuseConfig(path: string, rows: readonly Row[], count: number | null): void {
  const named = ['model_type', 'architectures', 'tokenizer_class', 'transformers_version', 'weight_map']
  const found = count === 1 ? named.find((name) => rows[0] && Object.hasOwn(rows[0], name)) : undefined
  if (found !== undefined)
    throw badFile(path, found, 'belongs to the configuration of a model, not to data; import its folder in the library')
}

/** Tasks of several files, whose rows are counted where they are not too many bytes. */
async function detectQuestions({ task, files, rows }: Questions, signal: AbortSignal): Promise<Dataset> {
  let [bytes, count] = [0, 0]
  for (const file of files) bytes += (await stat(file)).size
  const isCounted = bytes <= countedBytes
  const fields = new Set<string>()
  for await (const row of rows(signal)) {
    if (count < looked) for (const name of Object.keys(row)) fields.add(name)
    if (++count >= looked && !isCounted) break
  }
  const format = files[0]!.toLowerCase().endsWith('.csv') ? 'csv' : formats[await formatOf(files[0]!)]
  return { format, kind: 'multiple-choice', task, fields: [...fields], rows: isCounted ? count : null, bytes }
}

async function detectImages(path: string, format: 'images' | 'parquet', signal: AbortSignal): Promise<Dataset> {
  const { layout, splits } = await layoutOf(path)
  if (layout === 'class folders' && splits.length === 0 && (await listImages(path, signal)).length === 0)
    throw badFile(path, undefined, noImages(path))
  const parts = await openParts(path, signal)
  const { classes } = factsOfParts(layout, parts)
  const files = new Set(parts.flatMap(({ set }) => set.images.map(({ file }) => file)))
  return {
    format,
    kind: 'images',
    fields: [],
    rows: parts.reduce((sum, { set }) => sum + set.images.length, 0),
    bytes: await sizeOf([...files], signal),
    classes: classes.map(({ name, images }) => ({ name, images: images.reduce((sum, count) => sum + count, 0) })),
  }
}

function noImages(path: string): string {
  const data = readdirSync(path).find((name) => /\.(jsonl|json|ndjson|parquet|txt)(\.gz)?$/i.test(name))
  return data === undefined
    ? 'holds no images; give a folder with one subfolder for each class, or a data file'
    : `holds no images; give one of the data files in it, such as ${data}`
}

async function sizeOf(files: readonly string[], signal: AbortSignal): Promise<number> {
  let bytes = 0
  for (let start = 0; start < files.length; start += 256) {
    signal.throwIfAborted()
    const sizes = files.slice(start, start + 256).map(async (file) => (await stat(file)).size)
    for (const size of await Promise.all(sizes)) bytes += size
  }
  return bytes
}

/** The first rows, and how many there are where that is cheap to know. */
async function headOf(path: string, format: RowFormat, bytes: number, signal: AbortSignal) {
  if (format === 'Parquet') return headOfParquet(path, signal)
  return { rows: await take(path, signal), count: bytes > countedBytes ? null : await countRows(path, format, signal) }
}

async function headOfParquet(path: string, signal: AbortSignal): Promise<{ rows: Row[]; count: number }> {
  await using handle = await openFileHandle(path)
  const { groups, blankRow } = await openParquet(handle, path)
  const count = groups.reduce((sum, { rows }) => sum + rows, 0)
  const isSmall = groups.length > 0 && groups[0]!.unpackedBytes <= unpackedBytes
  return { rows: isSmall ? await take(path, signal) : [blankRow], count }
}

async function take(path: string, signal: AbortSignal): Promise<Row[]> {
  const rows: Row[] = []
  const bad: SecateurError[] = []
  const enough = new Error('enough rows')
  // A row that cannot be read says nothing of the others; but a file of nothing else is not read to its end.
  const onBadRow = (error: SecateurError) => {
    if (rows.length + bad.push(error) >= looked) throw enough
  }
  try {
    for await (const row of readRows(path, { signal, rowLimit, onBadRow })) {
      rows.push(row)
      if (rows.length + bad.length >= looked) break
    }
  } catch (error) {
    if (error !== enough) throw error
  }
  if (rows.length === 0 && bad[0]) throw bad[0]
  if (rows.length === 0) throw badFile(path, undefined, 'holds no rows')
  return rows
}

async function countRows(path: string, format: RowFormat, signal: AbortSignal): Promise<number> {
  let count = 0
  const onBadRow = () => void count++
  if (format === 'JSON') for await (const _ of readRows(path, { signal, rowLimit, onBadRow })) count++
  else
    for await (const { text } of splitLines(readBytes(path, signal), path, { limit: rowLimit, onBadRow }))
      if (format === 'text' || text.trim() !== '') count++
  return count
}

/** What the rows are; the zero-shot tasks go first, some of whose fields are also those of text. */
function kindOf(path: string, rows: readonly Row[]): { kind: DatasetKind; task?: TaskName; field?: string } {
  const task = taskOf(path, rows)
  if (task) return { kind: 'multiple-choice', task }
  const row = rows.find((each) => isConversation(each) || textOf(each) !== null) ?? rows[0]!
  const list = messageFieldOf(row)
  if (isConversation(row)) return { kind: 'instruction', ...(list === undefined ? {} : { field: list }) }
  const [longest] = Object.entries(row)
    .filter((entry): entry is [string, string] => typeof entry[1] === 'string')
    .sort(([, one], [, other]) => other.length - one.length)
  const field = textFields.find((name) => typeof row[name] === 'string') ?? longest?.[0]
  if (field === undefined)
    throw badFile(path, 'row 1', `has the fields ${Object.keys(row).slice(0, 20).join(', ')}; none of them holds text`)
  return { kind: 'text', field }
}

/** The task that all the rows fit; of tasks with the same layout the one that the file's name speaks of. */
export function taskOf(path: string, rows: readonly Row[]): TaskName | undefined {
  const fitting = taskNames.filter((name) => rows.every((row) => fits(name, row, path)))
  const words = path.toLowerCase().replace(/[^a-z]+/g, '')
  return fitting.find((name) => hints[name]?.test(words)) ?? fitting[0]
}

const hints: Partial<Record<TaskName, RegExp>> = {
  arc_challenge: /challenge/,
  openbookqa: /openbook|obqa/,
  lambada_standard: /standard|cimec/,
}

function fits(name: TaskName, row: Row, path: string): boolean {
  const task = tasks[name]
  if (task.named?.test(path) === false) return false
  const unlabelled = task.labelsBeside && row['label'] === undefined && existsSync(labelFileOf(path))
  try {
    task.parse(unlabelled ? { ...row, label: 0 } : row)
    return true
  } catch {
    return false
  }
}
