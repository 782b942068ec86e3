import { existsSync, realpathSync } from 'node:fs'
import { readFile, readdir, stat } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import { badFile } from '../../shared/errors.ts'
import { explained } from '../../shared/system-errors.ts'
import { isImageName, listImages } from '../image-files.ts'
import { headOf } from '../lines.ts'
import { cubLabels, listNames, splitNames } from './image-layout.ts'
import type { ImageSet, ImageSplit, LabelledImage } from './labelled-images.ts'
import { fromParquet, parquetFilesOf } from './parquet-images.ts'

export type { ImageSet, ImageSplit } from './labelled-images.ts'

const mostListBytes = 2 ** 28

/**
 * The images of a split:
 * - a folder of class folders, or one with folders `train` and `test` (or `val`) of class folders;
 * - CUB-200-2011: `images.txt`, `image_class_labels.txt`, `train_test_split.txt`, `classes.txt`;
 * - VTAB-1k: a list of lines "path label", or a folder with such lists (`train800val200.txt`, `test.txt`);
 * - Parquet as the Hub has it: a file with a column of images and one of classes, or a folder of such files.
 *
 * Where there are no splits, all images are both.
 *
 * @throws SecateurError that names the file, and the line where it is a list's
 */
export async function openImageSet(path: string, split: ImageSplit, signal: AbortSignal): Promise<ImageSet> {
  try {
    if ((await stat(path)).isFile())
      return /\.parquet$/i.test(path) ? await fromParquet(path, [path], signal) : await fromList(path, signal)
    if (existsSync(join(path, cubLabels))) return await fromCub(path, split)
    const list = listNames[split].find((name) => existsSync(join(path, name)))
    if (list !== undefined) return await fromList(join(path, list), signal)
    const packed = await parquetFilesOf(path, split)
    if (packed) return await fromParquet(path, packed, signal)
    return await fromClassFolders(await splitFolder(path, split), signal)
  } catch (error) {
    throw explained(path, error)
  }
}

async function splitFolder(path: string, split: ImageSplit): Promise<string> {
  const folders = (await readdir(path, { withFileTypes: true })).filter((entry) => entry.isDirectory())
  const called = (names: readonly string[]) =>
    names.map((name) => folders.find((folder) => folder.name.toLowerCase() === name)).find((found) => found)
  const found = called(splitNames[split])
  if (found) return join(path, found.name)
  const other = split === 'train' ? 'test' : 'train'
  if (called(splitNames[other]))
    throw badFile(path, undefined, `has a folder for ${other}, and none for ${split} (${splitNames[split].join(', ')})`)
  return path
}

const refusals = {
  link: 'is a symbolic link, which may lead anywhere and is not followed: put what it leads to in its place',
  format: 'is an image of a format that is not read: save it as PNG, or take it away',
}

async function fromClassFolders(path: string, signal: AbortSignal): Promise<ImageSet> {
  const found = await listImages(path, signal, (name, what) => {
    throw badFile(join(path, name), undefined, refusals[what])
  })
  if (found.length === 0)
    throw badFile(path, undefined, 'holds no images (.jpg, .png, .webp, ...) in folders of its own: one folder a class')
  const loose = found.find(({ className }) => className === null)
  if (loose) throw badFile(join(path, loose.name), undefined, 'lies in no class folder: every image belongs into one')
  const nested = found.find(({ className }) => className!.includes('/'))
  if (nested)
    throw badFile(
      path,
      undefined,
      `has folders within class folders, such as ${nested.className}: give the folder above the classes`,
    )
  const filled = new Set(found.map(({ className }) => className!))
  const folders = (await readdir(path, { withFileTypes: true })).filter(
    (entry) => entry.isDirectory() && !entry.name.startsWith('.'),
  )
  const empty = folders.find(({ name }) => !filled.has(name))
  if (empty) throw badFile(join(path, empty.name), undefined, 'is a class folder without an image')
  // torchvision sorts names of classes as texts, and so do models that were trained with it.
  const classes = [...filled].sort((one, other) => (one < other ? -1 : 1))
  const labels = new Map(classes.map((name, label) => [name, label]))
  return {
    path,
    classes,
    images: found.map(({ name, className }) => ({ file: join(path, name), label: labels.get(className!)! })),
  }
}

/** Lines of a small text file, without empty ones, with their numbers. */
async function linesOf(file: string): Promise<{ line: number; words: string[] }[]> {
  const { size } = await stat(file)
  if (size > mostListBytes)
    throw badFile(file, undefined, `has ${size} bytes; lists of ${mostListBytes} at most are read`)
  const text = await readFile(file, 'utf8')
  return text.split(/\r?\n/).flatMap((words, index) => {
    const trimmed = words.trim()
    return trimmed === '' ? [] : [{ line: index + 1, words: trimmed.split(/\s+/) }]
  })
}

/** A file that a list names, which must lie in the list's own folder. */
function fileIn(folder: string, name: string, list: string, line: number): string {
  const file = join(folder, name)
  if (!existsSync(file)) throw badFile(list, `line ${line}`, `names ${name}, which is not in ${folder}`)
  const root = realpathSync(folder)
  if (!realpathSync(file).startsWith(root + sep))
    throw badFile(list, `line ${line}`, `names ${name}, which leads out of ${folder}`)
  return file
}

/** Whether a file of text is a list of images: its first line is the path of one and the number of a class. */
export async function isImageList(file: string): Promise<boolean> {
  const [first = ''] = (await headOf(file, 4096)).toString('utf8').split(/\r?\n/, 1)
  const [, path] = /^(\S.*\S)\s+\d+\s*$/.exec(first) ?? []
  return path !== undefined && isImageName(path)
}

async function fromList(list: string, signal: AbortSignal): Promise<ImageSet> {
  const folder = dirname(list)
  const images: LabelledImage[] = []
  let most = -1
  for (const { line, words } of await linesOf(list)) {
    signal.throwIfAborted()
    const label = Number(words.at(-1))
    if (words.length < 2 || !Number.isSafeInteger(label) || label < 0 || label >= 2 ** 24)
      throw badFile(list, `line ${line}`, 'is not a path and the number of a class: "images/000001.png 12"')
    images.push({ file: fileIn(folder, words.slice(0, -1).join(' '), list, line), label })
    most = Math.max(most, label)
  }
  if (images.length === 0) throw badFile(list, undefined, 'names no image')
  return { path: list, classes: Array.from({ length: most + 1 }, (_, label) => String(label)), images }
}

async function fromCub(folder: string, split: ImageSplit): Promise<ImageSet> {
  const read = async (name: string) => {
    const file = join(folder, name)
    if (!existsSync(file)) throw badFile(file, undefined, `is missing beside ${cubLabels}`)
    const byId = new Map<string, { line: number; value: string }>()
    for (const { line, words } of await linesOf(file)) {
      const [id, ...rest] = words
      if (rest.length === 0) throw badFile(file, `line ${line}`, 'has a number and nothing after it')
      if (byId.has(id!)) throw badFile(file, `line ${line}`, `has the number ${id} a second time`)
      byId.set(id!, { line, value: rest.join(' ') })
    }
    return { file, byId }
  }
  const [paths, labels, splits, classes] = await Promise.all(
    ['images.txt', cubLabels, 'train_test_split.txt', 'classes.txt'].map(read),
  )
  const numbers = [...classes!.byId.keys()]
  const labelOf = new Map(numbers.map((id, label) => [id, label]))
  const images: LabelledImage[] = []
  for (const [id, { line, value }] of paths!.byId) {
    const side = splits!.byId.get(id)?.value
    const label = labels!.byId.get(id)
    if (side === undefined || !label)
      throw badFile(paths!.file, `line ${line}`, `image ${id} has no ${label ? 'split' : 'class'}`)
    if (side !== (split === 'train' ? '1' : '0')) continue
    const number = labelOf.get(label.value)
    if (number === undefined)
      throw badFile(labels!.file, `line ${label.line}`, `names class ${label.value}, which ${classes!.file} lacks`)
    images.push({ file: fileIn(join(folder, 'images'), value, paths!.file, line), label: number })
  }
  if (images.length === 0) throw badFile(splits!.file, undefined, `marks no image for ${split}`)
  return { path: folder, classes: [...classes!.byId.values()].map(({ value }) => value), images }
}
