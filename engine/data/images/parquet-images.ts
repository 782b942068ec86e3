import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { badFile } from '../../shared/errors.ts'
import { readParquet } from '../parquet.ts'
import type { ImageSet, ImageSplit, LabelledImage } from './labelled-images.ts'
import { type ImageColumns, imageColumnsOf } from './parquet-columns.ts'

const mostImages = 5_000_000
const mostClasses = 2 ** 24

/** Beginnings of names that files of a split have on the Hub ("train-00000-of-00002.parquet"), best first. */
const splitNames: Record<ImageSplit, readonly string[]> = { train: ['train'], test: ['test', 'validation', 'val'] }

/** The Parquet files of a folder, or of `data` within it, as the Hub lays them out; null where there are none. */
async function parquetFilesIn(path: string): Promise<{ folder: string; names: string[] } | null> {
  for (const folder of [path, join(path, 'data')]) {
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
    const names = entries
      .filter((entry) => entry.isFile() && /^[^.].*\.parquet$/i.test(entry.name))
      .map(({ name }) => name)
    if (names.length > 0) return { folder, names }
  }
  return null
}

const ofSplit = (names: readonly string[], split: ImageSplit): string[] | undefined =>
  splitNames[split].map((word) => names.filter((name) => isOfSplit(name, word))).find((found) => found.length > 0)

/** The splits that Parquet files of a folder are of: none where no name says of one; null where there are no such files. */
export async function parquetSplitsIn(path: string): Promise<ImageSplit[] | null> {
  const found = await parquetFilesIn(path)
  return found && (['train', 'test'] as const).filter((split) => ofSplit(found.names, split))
}

/**
 * The Parquet files of a split in a folder; null where there are none. Where no name says of a split, all files are both.
 *
 * @throws SecateurError where there are files of the other split alone
 */
export async function parquetFilesOf(path: string, split: ImageSplit): Promise<string[] | null> {
  const all = await parquetFilesIn(path)
  if (!all) return null
  const { folder, names } = all
  const found = ofSplit(names, split)
  const other = split === 'train' ? 'test' : 'train'
  if (!found && ofSplit(names, other))
    throw badFile(
      folder,
      undefined,
      `has Parquet files for ${other}, and none for ${split} (${splitNames[split].join(', ')})`,
    )
  return (found ?? names).toSorted((one, another) => (one < another ? -1 : 1)).map((name) => join(folder, name))
}

const isOfSplit = (name: string, word: string) => new RegExp(`^${word}([-_.]|$)`, 'i').test(name)

/** @throws SecateurError where there is no column of images or of classes, or an image has no class: names file and row */
export async function fromParquet(path: string, files: readonly string[], signal: AbortSignal): Promise<ImageSet> {
  const columns: ImageColumns[] = []
  const labels: { file: string; row: number; value: number | string }[] = []
  for (const file of files) {
    const found = await imageColumnsOf(file)
    const [first] = columns
    if (first && JSON.stringify(first) !== JSON.stringify(found))
      throw badFile(file, undefined, `has other columns or classes than ${files[0]}: they are not of one set`)
    columns.push(found)
    let row = 0
    for await (const { [found.label]: value } of readParquet(file, { columns: [found.label], bytes: 'raw', signal })) {
      labels.push({ file, row, value: labelOf(value, found, file, row++) })
      if (labels.length > mostImages) throw badFile(path, undefined, `holds over ${mostImages} images`)
    }
  }
  if (labels.length === 0) throw badFile(path, undefined, 'holds no row')
  const classes = classesOf(labels, columns[0]!)
  const numbers = new Map(classes.map((name, number) => [name, number]))
  return {
    path,
    classes,
    images: labels.map(({ file, row, value }): LabelledImage => {
      return { file, row, label: typeof value === 'number' ? value : numbers.get(value)! }
    }),
  }
}

function classesOf(
  labels: readonly { file: string; value: number | string }[],
  { names, label }: ImageColumns,
): string[] {
  if (names) return [...names]
  const texts = new Set(labels.flatMap(({ value }) => (typeof value === 'string' ? [value] : [])))
  if (texts.size === 0) {
    const most = labels.reduce((largest, { value }) => Math.max(largest, value as number), 0)
    return Array.from({ length: most + 1 }, (_, number) => String(number))
  }
  const number = labels.find(({ value }) => typeof value === 'number')
  if (number) throw badFile(number.file, label, 'holds names of classes in some rows and numbers in others')
  return [...texts].toSorted((one, other) => (one < other ? -1 : 1))
}

/** @throws SecateurError where a row has no class; the Hub has -1 in test sets whose classes are kept back */
function labelOf(value: unknown, { label, names }: ImageColumns, file: string, row: number): number | string {
  if (typeof value === 'string' && value !== '' && !names) return value
  const most = names?.length ?? mostClasses
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value < most) return value
  const wrong =
    value === null || value === '' || value === -1
      ? `has no class in the column "${label}"${value === -1 ? ' (-1): the classes of this set are kept back' : ''}`
      : `has ${JSON.stringify(value)} in the column "${label}", which is ${names ? `none of the ${names.length} classes` : 'no class'}`
  throw badFile(file, `row ${row}`, wrong)
}

/**
 * Images of a Parquet file.
 *
 * @param rows which, in ascending order
 */
export async function* parquetImages(
  file: string,
  rows: readonly number[],
  signal: AbortSignal,
): AsyncGenerator<{ file: string; row: number; bytes: Uint8Array | null }> {
  const { image, isStruct } = await imageColumnsOf(file)
  let row = -1
  let next = 0
  const wants = (first: number, count: number) => {
    row = first - 1
    return next < rows.length && rows[next]! < first + count
  }
  for await (const { [image]: value } of readParquet(file, { columns: [image], bytes: 'raw', signal, wants })) {
    if (next === rows.length) return
    if (++row !== rows[next]) continue
    next++
    const bytes = isStruct ? (value as { bytes?: unknown } | null)?.bytes : value
    yield { file, row, bytes: bytes instanceof Uint8Array && bytes.length > 0 ? bytes : null }
  }
  if (next < rows.length) throw badFile(file, `row ${rows[next]}`, 'is gone: the file changed while it was read')
}
