import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import { isGgufFile } from '../checkpoint/gguf/file.ts'
import { hashFile } from '../checkpoint/hash.ts'
import { knownHash } from '../checkpoint/known-hash.ts'
import { type KeptFiles, proofSchema } from '../contract/index.ts'
import { cacheFolder } from '../shared/cache-folder.ts'
import { readJson, writeJson } from '../shared/files.ts'
import { sum } from '../shared/sum.ts'
import { version } from '../shared/version.ts'
import type { WorkControl } from '../shared/work-control.ts'

/** The most that is kept, in bytes: three files of 7 billion parameters in 16 bits. */
const mostBytes = 45e9

/** What is known of a file that llama.cpp runs, beside it. */
const noteSchema = z.object({
  checkpoint: z.string(),
  type: z.string(),
  /** By what computed; none of a device on which it was not measured, or did not fit into memory. */
  proofs: z.record(z.string(), proofSchema).default({}),
})
export type Note = z.infer<typeof noteSchema>

/** Where files are kept. */
export const keptFolder = (): string => join(cacheFolder(), 'llama-cpp')
const fileOf = (key: string): string => join(keptFolder(), `${key}.gguf`)
const noteOf = (key: string): string => join(keptFolder(), `${key}.json`)

/**
 * The name under which a checkpoint is kept as a file of a type: the same for the same weights, config and tokenizer, wherever
 * they lie. All of them are read once; as long as their files do not change that is remembered.
 */
export async function keyOf(checkpoint: string, type: string, control: WorkControl): Promise<string> {
  const content = await knownHash({ folder: checkpoint }, control)
  const hash = createHash('sha256').update(
    JSON.stringify([version, content, await textsOf(checkpoint, control.signal)]),
  )
  return `${hash.digest('hex').slice(0, 24)}-${type}`
}

/** Names and hashes of the small files of a folder, which hold its tokenizer and its template; a GGUF file holds its own. */
async function textsOf(checkpoint: string, signal: AbortSignal): Promise<[string, string][]> {
  if (isGgufFile(checkpoint)) return []
  const entries = await readdir(checkpoint, { withFileTypes: true })
  const names = entries.filter((entry) => !entry.isDirectory() && /\.(json|jinja|model|txt)$/.test(entry.name))
  const hashes: [string, string][] = []
  for (const { name } of names.toSorted((one, other) => (one.name < other.name ? -1 : 1)))
    hashes.push([name, await hashFile(join(checkpoint, name), signal)])
  return hashes
}

/** The file that is kept under a name, which counts as used now; null where there is none. */
export function keptFile(key: string): string | null {
  const file = fileOf(key)
  if (!existsSync(file)) return null
  const now = new Date()
  utimesSync(file, now, now)
  return file
}

/**
 * Where a file of so many bytes is to be written. What was not used for the longest time leaves, so that no more is kept than
 * may be.
 */
export function placeFor(key: string, bytes: number): string {
  mkdirSync(keptFolder(), { recursive: true })
  const files = keptFiles().files.toSorted((one, other) => one.used - other.used)
  let kept = sum(files.map((each) => each.bytes))
  for (const { file, bytes: freed } of files) {
    if (kept + bytes <= mostBytes) break
    removeFile(file)
    kept -= freed
  }
  return fileOf(key)
}

export function readNote(key: string): Note | null {
  try {
    return readJson(noteOf(key), noteSchema)
  } catch {
    // There is none yet, or it is damaged: what it says is measured again.
    return null
  }
}

/**
 * What is known of what was last run of a checkpoint in this place, and whether its file is kept: without reading the
 * checkpoint, which may have changed since.
 */
export function lastKnown(checkpoint: string, type: string): (Note & { isKept: boolean }) | null {
  const names = existsSync(keptFolder()) ? readdirSync(keptFolder()) : []
  for (const name of names) {
    if (!name.endsWith('.json')) continue
    const key = basename(name, '.json')
    const note = readNote(key)
    if (note?.checkpoint === resolve(checkpoint) && note.type === type)
      return { ...note, isKept: existsSync(fileOf(key)) }
  }
  return null
}

export const writeNote = (key: string, note: Note): void => writeJson(noteOf(key), note)

/** All files that are kept, the one that was used last first. */
export function keptFiles(): KeptFiles {
  const names = existsSync(keptFolder()) ? readdirSync(keptFolder()) : []
  const files = names.flatMap((name) => {
    if (!name.endsWith('.gguf') || name.startsWith('.')) return []
    const file = join(keptFolder(), name)
    const { size, mtimeMs } = statSync(file)
    const note = readNote(basename(name, '.gguf'))
    return [{ file, checkpoint: note?.checkpoint ?? '', type: note?.type ?? '', bytes: size, used: mtimeMs }]
  })
  return {
    folder: keptFolder(),
    files: files.toSorted((one, other) => other.used - one.used),
    bytes: sum(files.map(({ bytes }) => bytes)),
    mostBytes,
  }
}

/** Tells of the files that are kept, and removes them where that is asked for. */
export const tellOfKeptFiles = ({ remove }: { remove: boolean }): KeptFiles =>
  remove ? removeKeptFiles() : keptFiles()

/** Removes all files that are kept, with what is known of them; tells what was removed. */
export function removeKeptFiles(): KeptFiles {
  const kept = keptFiles()
  rmSync(keptFolder(), { recursive: true, force: true })
  return kept
}

function removeFile(file: string): void {
  rmSync(file, { force: true })
  rmSync(join(dirname(file), `${basename(file, '.gguf')}.json`), { force: true })
}
