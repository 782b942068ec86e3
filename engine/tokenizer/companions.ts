import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isGgufFile } from '../checkpoint/gguf/file.ts'
import { openGguf } from '../checkpoint/gguf/open.ts'
import { badFile } from '../shared/errors.ts'
import { contentHint } from '../shared/file-content.ts'
import { openFileHandle, refuseSpecial } from '../shared/open-file.ts'
import { ggufDocuments } from './gguf-documents.ts'

/** The small files beside a checkpoint's weights: those of its folder, or what a GGUF file says in their place. */
export interface Companions {
  /** What to name in messages about one of them. */
  pathOf(name: string): string
  /** Bytes of a file; undefined where there is none. @throws SecateurError where it has more than `limit` */
  read(name: string, limit: number): Promise<Uint8Array | undefined>
  /** A file as the JSON that it holds; undefined where there is none. @throws SecateurError where it holds none */
  json(name: string, limit: number): Promise<unknown>
}

/** The companions of a checkpoint, which is a folder or a GGUF file. */
export const companionsOf = (checkpoint: string): Companions =>
  isGgufFile(checkpoint) ? ofGguf(checkpoint) : ofFolder(checkpoint)

/** What is derived from the keys of a GGUF file, in the form of files of a folder. */
export function ggufCompanions(path: string): Record<string, unknown> {
  const { keys, files } = openGguf(path)
  for (const file of files) file.close()
  return ggufDocuments(keys)
}

function ofGguf(path: string): Companions {
  const documents = ggufCompanions(path)
  return {
    pathOf: () => path,
    read: () => Promise.resolve(undefined),
    json: (name) => Promise.resolve(Object.hasOwn(documents, name) ? documents[name] : undefined),
  }
}

function ofFolder(folder: string): Companions {
  const pathOf = (name: string) => join(folder, name)
  const read = (name: string, limit: number) => readBounded(pathOf(name), limit)
  return {
    pathOf,
    read,
    async json(name, limit) {
      const bytes = await read(name, limit)
      return bytes === undefined ? undefined : parseJson(pathOf(name), bytes)
    },
  }
}

function parseJson(file: string, bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    const other = contentHint(bytes)
    throw badFile(file, undefined, other ?? `is not JSON: ${(cause as Error).message}`, cause)
  }
}

async function readBounded(file: string, limit: number): Promise<Uint8Array | undefined> {
  if (!(await exists(file))) return undefined
  await using handle = await openFileHandle(file)
  const { size } = await handle.stat()
  if (size > limit) throw badFile(file, undefined, `has ${size} bytes; at most ${limit} are read for a tokenizer`)
  return handle.readFile()
}

/** A folder of that name is an error; an absent file is not. */
async function exists(file: string): Promise<boolean> {
  try {
    await stat(file)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw badFile(file, undefined, `cannot be read: ${(cause as Error).message}`, cause)
  }
  refuseSpecial(file)
  return true
}
