import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { isGgufFile } from '../checkpoint/gguf/file.ts'
import { partsOf } from '../checkpoint/gguf/open.ts'
import { type ExportGgufJob, exportGgufSchema, type RunnerType } from '../contract/index.ts'
import { freeDisk } from '../estimate/estimate.ts'
import { writeGgufFile } from '../export/gguf/export.ts'
import { exportedBytes } from '../export/size.ts'
import type { Checkpoint } from '../models/checkpoint.ts'
import { SecateurError } from '../shared/errors.ts'
import { sizeText } from '../shared/size-text.ts'
import { sum } from '../shared/sum.ts'
import { keptFile, keyOf, placeFor, readNote, writeNote } from './kept-files.ts'
import type { OpenControl } from './open-control.ts'

/** The file that llama.cpp runs for a checkpoint. */
export interface RunFile {
  path: string
  /** Under which it, and what is known of it, is kept. */
  key: string
}

/** A type to hold the weights in, by which a file is written; undefined where a GGUF file runs as it is. */
export const typeFor = (
  { folder }: Pick<Checkpoint, 'folder'>,
  asked: RunnerType | undefined,
): RunnerType | undefined => asked ?? (isGgufFile(folder) ? undefined : 'f16')

/** Bytes of the file, which need not be there yet. Of a GGUF file, all parts of a split one. */
export const bytesOfFile = (checkpoint: Checkpoint, type: RunnerType | undefined): number =>
  type === undefined
    ? sum(partsOf(checkpoint.folder).map((part) => statSync(part).size))
    : exportedBytes(exportJob(checkpoint, type), checkpoint)

/** The type that most weights of a GGUF file have. */
export function typeOfFile({ quantisation, dtype }: Checkpoint): string {
  const [most] = Object.entries(quantisation?.types ?? {}).toSorted(([, one], [, other]) => other - one)
  return most?.[0].toLowerCase() ?? dtype
}

/** The same as an export. */
export const exportJob = (
  { folder }: Pick<Checkpoint, 'folder'>,
  type: RunnerType,
  out = 'model.gguf',
  threads?: number,
): ExportGgufJob =>
  exportGgufSchema.parse({
    kind: 'export',
    format: 'gguf',
    checkpoint: folder,
    type,
    out,
    proof: false,
    ...(threads !== undefined && { threads }),
  })

/**
 * The file that is kept of a checkpoint, which is written where there is none; a GGUF file is its own.
 *
 * @throws SecateurError where the disk has no room for it
 */
export async function fileFor(
  checkpoint: Checkpoint,
  type: RunnerType | undefined,
  threads: number | undefined,
  control: OpenControl,
): Promise<RunFile> {
  const key = await keyOf(checkpoint.folder, type ?? 'gguf', {
    signal: control.signal,
    progress: (done, total) => control.progress('reading weights', done, total),
  })
  if (type === undefined) return { key, path: checkpoint.folder }
  return { key, path: keptFile(key) ?? (await written(key, checkpoint, type, threads, control)) }
}

async function written(
  key: string,
  checkpoint: Checkpoint,
  type: RunnerType,
  threads: number | undefined,
  { signal, say, progress }: OpenControl,
): Promise<string> {
  const bytes = bytesOfFile(checkpoint, type)
  const file = placeFor(key, bytes)
  const free = freeDisk(file)
  if (bytes > free)
    throw new SecateurError(
      'does-not-fit',
      `the file for llama.cpp takes ${sizeText(bytes)} and ${sizeText(free)} are free on the disk of the cache folder (XDG_CACHE_HOME names another)`,
      { file },
    )
  say(`Writing the checkpoint as ${type} for llama.cpp, which is done once (${sizeText(bytes)}).`)
  try {
    await writeGgufFile(exportJob(checkpoint, type, file, threads), checkpoint, {
      signal,
      progress: (done, total) => progress('writing', done, total),
      say: () => {},
      warn: say,
      prove: null,
    })
  } catch (error) {
    // Another process wrote the same file meanwhile.
    if (keptFile(key) === null) throw error
  }
  const known = readNote(key)
  writeNote(key, { checkpoint: resolve(checkpoint.folder), type, proofs: known?.proofs ?? {} })
  return file
}
