import { createHash } from 'node:crypto'
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileStamp } from '../shared/file-stamp.ts'
import { readSmallFile } from '../shared/files.ts'
import { openFileHandle } from '../shared/open-file.ts'
import { shortHash } from '../shared/short-hash.ts'
import { explained } from '../shared/system-errors.ts'
import { hashFile } from './hash.ts'
import { rememberedHash } from './known-hash.ts'

const blockBytes = 2 ** 20
/** Blocks that are read of a large file, the first and the last among them. */
const blocks = 256
/** The largest file that is read whole. */
export const wholeBytes = 2 ** 30
/** Below, reading again costs as little as looking up what was read. */
const keptBytes = 16 * 2 ** 20

/** Bytes that a fingerprint reads of a file of a size. */
export const bytesRead = (size: number): number => (size <= wholeBytes ? size : blocks * blockBytes)

/**
 * Tells a file from others by what it holds, wherever it lies: SHA-256 of its bytes up to 1 GiB. Of a larger one, of its
 * size and of 256 blocks of 1 MiB at equal distances, from the first to the last. A full hash of a checkpoint of 15 GB takes
 * ten seconds to a minute, and of one on a network file system far longer than the start of a run; the blocks take less than
 * a second each file. They show another checkpoint, one that was trained on, and rows that came or went, since these shift
 * what follows; they miss a change of a few bytes in place. Of a file that did not change since, it is remembered.
 *
 * @param onRead hears how many bytes are read
 * @throws SecateurError where the file cannot be read
 */
export async function fingerprintOf(
  file: string,
  signal: AbortSignal,
  onRead: (bytes: number) => void = () => {},
): Promise<string> {
  try {
    const found = statSync(file)
    const { size } = found
    // Of thousands of images, each would wait for its turn several times.
    if (size <= blockBytes) return shortHash(createHash('sha256').update(readSmallFile(file, blockBytes)).digest('hex'))
    const read = size <= wholeBytes ? hashFile : sampled
    const take = async () => shortHash(await read(file, signal, onRead))
    return size < keptBytes ? await take() : await keptFingerprint([resolve(file), ...fileStamp(found)], take)
  } catch (error) {
    throw explained(file, error)
  }
}

/**
 * A fingerprint that need not be taken again as long as what it was taken of has the same stamp.
 *
 * @param stamp paths, sizes, times and numbers of files: it is compared on this computer alone
 */
export const keptFingerprint = (stamp: unknown, take: () => Promise<string>): Promise<string> =>
  rememberedHash(['fingerprint', 1, stamp], take)

async function sampled(file: string, signal: AbortSignal, onRead: (bytes: number) => void): Promise<string> {
  await using handle = await openFileHandle(file)
  const { size } = await handle.stat()
  const hash = createHash('sha256').update(`${size}\n`)
  const block = Buffer.alloc(blockBytes)
  for (let index = 0; index < blocks; index++) {
    signal.throwIfAborted()
    const at = Math.floor(((size - blockBytes) * index) / (blocks - 1))
    const { bytesRead: read } = await handle.read(block, 0, blockBytes, at)
    hash.update(block.subarray(0, read))
    onRead((index + 1) * blockBytes)
  }
  return hash.digest('hex')
}
