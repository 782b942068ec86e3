import { existsSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { badFile } from '../../shared/errors.ts'
import { GgufFile } from './file.ts'
import type { GgufEntry } from './header.ts'
import type { KeyReader } from './key-reader.ts'

/** A tensor and the open file that holds it. */
export interface PlacedEntry {
  tensor: GgufEntry
  file: GgufFile
}

/** A model in one GGUF file, or in several that llama.cpp split it into. */
export interface GgufModel {
  /** Path of the file, or of the first of several. */
  path: string
  /** Of the first file: the others have none but those of the split. */
  keys: KeyReader
  files: GgufFile[]
  tensors: Map<string, PlacedEntry>
}

const splitName = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/i
const splitKeys = { number: 'split.no', count: 'split.count', tensors: 'split.tensors.count' }

/**
 * Opens a GGUF file, headers only, and the others of its split, whichever of them is named.
 *
 * @throws SecateurError for whatever is wrong with a header (see `readGgufHeader`), a part that is missing or belongs to
 *   another split, and a tensor in two parts. No file stays open after an error.
 */
export function openGguf(path: string): GgufModel {
  const paths = partsOf(path)
  const files: GgufFile[] = []
  try {
    for (const part of paths) files.push(new GgufFile(part))
    for (const [index, file] of files.entries()) checkPart(file, index, files.length)
    const tensors = new Map<string, PlacedEntry>()
    for (const file of files) {
      for (const [name, tensor] of file.tensors) {
        const other = tensors.get(name)
        if (other) throw badFile(file.path, name, `is also in ${basename(other.file.path)}`)
        tensors.set(name, { tensor, file })
      }
    }
    const { keys } = files[0]!
    const total = keys.integer(splitKeys.tensors)
    if (total !== undefined && total !== tensors.size)
      throw badFile(paths[0]!, splitKeys.tensors, `is ${total}, but the files hold ${tensors.size} tensors`)
    return { path: paths[0]!, keys, files, tensors }
  } catch (error) {
    for (const file of files) file.close()
    throw error
  }
}

/** Paths of all parts of a model by the name of one; a file of another name stands alone. @throws SecateurError where one is missing */
export function partsOf(path: string): string[] {
  const [, name, , of] = splitName.exec(basename(path)) ?? []
  if (name === undefined || of === undefined) return [path]
  const count = Number(of)
  const parts: string[] = []
  for (let part = 1; part <= count; part++) {
    const sibling = join(dirname(path), `${name}-${String(part).padStart(5, '0')}-of-${of}.gguf`)
    if (!existsSync(sibling)) throw badFile(sibling, undefined, `is missing beside ${basename(path)}. Fetch it`)
    parts.push(sibling)
  }
  return parts.length === 0 ? [path] : parts
}

/** The keys of a split say which part a file is: a wrong one would give other weights, or only some. */
function checkPart({ keys }: GgufFile, index: number, count: number): void {
  const said = keys.integer(splitKeys.count) ?? 1
  if (said > 1 && count === 1)
    throw badFile(
      keys.path,
      splitKeys.count,
      `is ${said}, but the file's name is not of the form NAME-00001-of-${String(said).padStart(5, '0')}.gguf, by which the others are found`,
    )
  if (said !== count) throw badFile(keys.path, splitKeys.count, `is ${said}; by the file's name it must be ${count}`)
  const number = keys.integer(splitKeys.number) ?? 0
  if (number !== index)
    throw badFile(keys.path, splitKeys.number, `is ${number}; by the file's name it must be ${index}`)
}
