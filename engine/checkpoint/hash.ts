import { createHash, type Hash } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { badFile } from '../shared/errors.ts'
import { fileStamp } from '../shared/file-stamp.ts'
import { openFileHandle } from '../shared/open-file.ts'
import { isGgufFile } from './gguf/file.ts'
import { partsOf } from './gguf/open.ts'
import { explained } from '../shared/system-errors.ts'
import type { WorkControl } from '../shared/work-control.ts'

/** Configs that say what the weights mean. */
const configNames = new Set(['config.json', 'adapter_config.json'])

/**
 * SHA-256 over the weights and configs of a folder: for each file, in the order of the names, its name, its size and its
 * bytes. Two copies of a checkpoint have the same hash, wherever they lie and whatever stands beside them. Of a GGUF file
 * its parts are hashed so.
 */
export async function hashFolder(
  { folder: checkpoint }: { folder: string },
  { signal, progress }: WorkControl,
): Promise<{ hash: string; bytes: number; files: number }> {
  try {
    const { folder, files } = await filesOfCheckpoint(checkpoint)
    const total = files.reduce((sum, { bytes }) => sum + bytes, 0)
    const hash = createHash('sha256')
    let done = 0
    for (const { name, bytes } of files) {
      hash.update(`${name}\n${bytes}\n`)
      const read = await hashInto(hash, join(folder, name), signal, (now) => progress(done + now, total))
      if (read !== bytes) throw badFile(join(folder, name), undefined, 'changed while it was read; try again')
      done += read
    }
    return { hash: hash.digest('hex'), bytes: total, files: files.length }
  } catch (error) {
    throw explained(checkpoint, error)
  }
}

/**
 * SHA-256 of the bytes of a file, in hexadecimal digits.
 *
 * @param onRead hears how many bytes are read
 * @throws SecateurError where it cannot be read
 */
export async function hashFile(
  file: string,
  signal: AbortSignal,
  onRead: (bytes: number) => void = () => {},
): Promise<string> {
  const hash = createHash('sha256')
  try {
    await hashInto(hash, file, signal, onRead)
  } catch (error) {
    throw explained(file, error)
  }
  return hash.digest('hex')
}

/** @param onRead hears how many bytes are read @returns their number in the end */
async function hashInto(
  hash: Hash,
  file: string,
  signal: AbortSignal,
  onRead: (bytes: number) => void,
): Promise<number> {
  let read = 0
  const stream = (await openFileHandle(file)).createReadStream({ highWaterMark: 4 * 2 ** 20, signal })
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    hash.update(chunk)
    onRead((read += chunk.length))
  }
  return read
}

/**
 * What tells that the files of `hashFolder` are those of before, without reading them: where they lie, how large they are, and
 * when they changed.
 */
export async function stampOfFolder(checkpoint: string): Promise<unknown> {
  try {
    const { folder, files } = await filesOfCheckpoint(checkpoint)
    return await Promise.all(
      files.map(async ({ name }) => [folder, name, ...fileStamp(await stat(join(folder, name)))]),
    )
  } catch (error) {
    throw explained(checkpoint, error)
  }
}

/** Configs and weights; of a folder without weights the graph that it was exported as. */
function weightsOf(names: readonly string[]): string[] {
  const ending = names.some((name) => name.endsWith('.safetensors')) ? /\.safetensors$/ : /\.onnx(_data)?$/
  return names.filter((name) => configNames.has(name) || ending.test(name))
}

/** The files of a folder that make it what it is, or all parts of a GGUF file. */
export async function filesOfCheckpoint(
  checkpoint: string,
): Promise<{ folder: string; files: { name: string; bytes: number }[] }> {
  const gguf = isGgufFile(checkpoint)
  const folder = gguf ? dirname(checkpoint) : checkpoint
  const names = gguf ? partsOf(checkpoint).map((part) => basename(part)) : weightsOf((await readdir(folder)).sort())
  const files: { name: string; bytes: number }[] = []
  for (const name of names) {
    const { size } = await stat(join(folder, name))
    files.push({ name, bytes: size })
  }
  if (files.length === 0) throw badFile(folder, undefined, 'holds no weights and no config')
  return { folder, files }
}
