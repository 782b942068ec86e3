import { randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  readdirSync,
  renameSync,
  rmSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import type { z } from 'zod'
import { badFile } from './errors.ts'
import { contentHint } from './file-content.ts'
import { sayPlainly } from './issue-text.ts'
import { openFile, openToWrite } from './open-file.ts'
import { codeOf, explained } from './system-errors.ts'

/** Writes a file beside its final name, syncs and renames it: a crash leaves either the old file or the new one. */
export function writeFileAtomically(path: string, data: string | Uint8Array): void {
  replaceFile(path, (temporary) => {
    const descriptor = openToWrite(temporary, 'w')
    try {
      writeFileSync(descriptor, data)
    } finally {
      closeSync(descriptor)
    }
  })
}

/** Writes a value as indented JSON, atomically. */
export function writeJson(path: string, value: unknown): void {
  writeFileAtomically(path, `${JSON.stringify(value, null, 2)}\n`)
}

/** Lets `write` fill a file beside `path`, then syncs and renames it. Where `write` throws, nothing is left behind. */
export function replaceFile(path: string, write: (temporary: string) => void): void {
  const temporary = `${path}.${process.pid}.partial`
  try {
    mkdirSync(dirname(path), { recursive: true })
    write(temporary)
    sync(temporary)
    moveIntoPlace(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw explained(path, error)
  }
}

/**
 * Lets `fill` write a file beside `path`, then syncs and renames it. Where `fill` throws, nothing is left behind. A file
 * that is there already is refused, never overwritten. The temporary name has the ending of `path`.
 */
export async function createFileAtomically<T>(path: string, fill: (temporary: string) => Promise<T> | T): Promise<T> {
  const final = resolve(path)
  const temporary = join(dirname(final), `.partial-${process.pid}-${basename(final)}`)
  refuseExistingFile(final)
  try {
    mkdirSync(dirname(final), { recursive: true })
    const result = await fill(temporary)
    sync(temporary)
    refuseExistingFile(final)
    moveIntoPlace(temporary, final)
    return result
  } catch (error) {
    rmSync(temporary, { force: true })
    throw explained(final, error)
  }
}

/** @throws SecateurError where there is something of that name */
export function refuseExistingFile(file: string): void {
  if (existsSync(file)) throw badFile(file, undefined, 'already exists; remove it or choose another name')
}

/**
 * Lets `fill` write a folder beside `path`, syncs everything in it and renames it. Where `fill` throws, nothing is left
 * behind. A folder that already holds something is refused, never overwritten.
 */
export async function createFolderAtomically<T>(path: string, fill: (temporary: string) => Promise<T> | T): Promise<T> {
  const final = resolve(path)
  refuseExisting(final)
  let temporary: string | undefined
  try {
    mkdirSync(dirname(final), { recursive: true })
    temporary = makeFolderBeside(final)
    const result = await fill(temporary)
    syncTree(temporary)
    refuseExisting(final)
    // Windows does not rename over an empty folder as the others do.
    if (existsSync(final)) rmdirSync(final)
    moveIntoPlace(temporary, final)
    return result
  } catch (error) {
    if (temporary !== undefined) rmSync(temporary, { recursive: true, force: true })
    throw explained(final, error)
  }
}

/**
 * Makes the folder that is filled and then gets its final name. Others may read it as they may what mkdir makes: mkdtemp
 * shuts out everyone but the user, for good.
 *
 * @returns its path
 */
export function makeFolderBeside(final: string): string {
  const temporary = join(dirname(final), `.${basename(final)}.partial-${randomBytes(6).toString('hex')}`)
  mkdirSync(temporary)
  return temporary
}

/** @throws SecateurError where there is a file of that name, or a folder that holds something */
export function refuseExisting(folder: string): void {
  let entries: string[]
  try {
    entries = readdirSync(folder)
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT') return
    throw code === 'ENOTDIR' ? badFile(folder, undefined, 'is a file; give the name of a new folder') : error
  }
  if (entries.length > 0) {
    throw badFile(folder, undefined, 'already exists and is not empty; remove it or choose another folder')
  }
}

/**
 * The bytes of a file that is small by nature (a config, an index, a tokenizer). The size is checked before memory is
 * taken. Errors: the file is missing, is no regular file, cannot be read, or is larger than `maxBytes`.
 */
export function readSmallFile(path: string, maxBytes: number): Buffer {
  const descriptor = openFile(path)
  try {
    const { size } = fstatSync(descriptor)
    if (size > maxBytes) {
      throw badFile(path, undefined, `has ${size} bytes; a file of this kind has ${maxBytes} at most`)
    }
    return readFileSync(descriptor)
  } catch (error) {
    throw explained(path, error)
  } finally {
    closeSync(descriptor)
  }
}

/** The last bytes of a file of any size, as text. */
export function endOfFile(path: string, bytes: number): string {
  const descriptor = openFile(path)
  try {
    const { size } = fstatSync(descriptor)
    const buffer = Buffer.alloc(Math.min(size, bytes))
    const read = readSync(descriptor, buffer, 0, buffer.length, size - buffer.length)
    return buffer.toString('utf8', 0, read)
  } catch (error) {
    throw explained(path, error)
  } finally {
    closeSync(descriptor)
  }
}

/** Reads and checks a JSON file. Errors name the file, and the field where the schema is not met. */
export function readJson<Schema extends z.ZodType>(
  path: string,
  schema: Schema,
  { maxBytes = 16 << 20 }: { maxBytes?: number } = {},
): z.output<Schema> {
  const text = readSmallFile(path, maxBytes).toString('utf8')
  return parseAs(schema, parseJson(text, path), path)
}

sayPlainly()

/** Checks a value that came from a file. The error names the first field that is wrong, under `prefix` if given. */
export function parseAs<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  file: string,
  prefix?: string,
): z.output<Schema> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const field = [...(prefix === undefined ? [] : [prefix]), ...(issue?.path ?? []).map(String)].join('.')
  throw badFile(file, field || undefined, issue?.message ?? 'is not valid')
}

export function parseJson(text: string, file: string, field?: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const other = contentHint(text)
    if (other !== null) throw badFile(file, field, other, error)
    throw badFile(file, field, `is not valid JSON (${error instanceof Error ? error.message : String(error)})`, error)
  }
}

/** Null for text that is not JSON. */
export function parseJsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function sync(file: string): void {
  const descriptor = openSync(file, 'r+')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** Gives what is whole on disk its final name, so that it has it after a crash. */
export function moveIntoPlace(temporary: string, final: string): void {
  renameSync(temporary, final)
  syncFolder(dirname(final))
}

/** Makes names in a folder last: what was renamed into it is there after a crash. */
export function syncFolder(folder: string): void {
  // Windows cannot open a folder; its renames are journalled.
  if (process.platform === 'win32') return
  const descriptor = openSync(folder, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function syncTree(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) syncTree(join(folder, entry.name))
    else if (entry.isFile()) sync(join(folder, entry.name))
  }
  syncFolder(folder)
}
