import { createHash, randomBytes } from 'node:crypto'
import { closeSync, existsSync, fstatSync, mkdirSync, readdirSync, readSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TokenBatch, TrainingBatch } from '../data/batches.ts'
import type { TopRows } from '../ops/distil-top.ts'
import { openFile, openToWrite } from '../shared/open-file.ts'
import { refusalOf } from '../shared/errors.ts'
import { explained } from '../shared/system-errors.ts'
import type { TopCache } from '../training/teacher.ts'

/*
 * Each run writes a file of its own, so that several may work at once, and reads those of all. A file is a list of records:
 * key [16 bytes], checksum [16], positions [uint32], and of each position k ids [int32] and k shares [float32], little-endian.
 * A record that a crash cut short ends its file; one whose checksum is wrong counts as missing.
 */
const hashBytes = 16
const headBytes = 2 * hashBytes + 4

/** Where a record lies. */
interface Place {
  descriptor: number
  /** Of its ids. */
  offset: number
  positions: number
  checksum: string
}

/**
 * What a teacher finds likeliest in sequences, in the files of a folder. A sequence is known by its tokens up to the last one
 * that is followed by a target, wherever it stands and however it is padded.
 */
export class TopCacheFolder implements TopCache, Disposable {
  readonly k: number
  readonly #folder: string
  readonly #vocabulary: number
  readonly #places = new Map<string, Place>()
  readonly #opened: number[] = []
  readonly #warn: (message: string) => void
  #own: { descriptor: number; reads: number; bytes: number } | null = null
  /** Whether the system lets what is new be kept. */
  #keeps = true

  /**
   * @param folder of one teacher, number of tokens and temperature
   * @param warn hears why nothing more is kept: the teacher then reads again what is not there
   */
  constructor(folder: string, k: number, vocabulary: number, warn: (message: string) => void) {
    this.k = k
    this.#folder = folder
    this.#vocabulary = vocabulary
    this.#warn = warn
    this.#orDoWithout(() => {
      const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(ending)) : []
      for (const name of names) this.#index(join(folder, name))
    })
  }

  find(batch: TrainingBatch): TopRows | null {
    const rows = sequencesOf(batch)
    const top = this.#empty(batch)
    for (const { key, positions, start } of rows) {
      const place = this.#places.get(key)
      if (place?.positions === positions && this.#read(place, top, start)) continue
      this.#places.delete(key)
      return null
    }
    return top
  }

  add(batch: TrainingBatch, top: TopRows): void {
    if (!this.#keeps) return
    this.#orDoWithout(() => {
      for (const { key, positions, start } of sequencesOf(batch))
        if (!this.#places.has(key)) this.#write(key, positions, top, start)
    })
  }

  /** A folder that cannot be written or read, and a full disk, cost time and nothing else. */
  #orDoWithout(work: () => void): void {
    try {
      work()
    } catch (error) {
      const { message } = refusalOf(error)
      this.#keeps = false
      this.#warn(
        `What the teacher finds likeliest cannot be kept for later epochs and runs: ${message}. The run goes on, and the teacher reads every sequence that is not there.`,
      )
    }
  }

  #empty({ rows, length }: TrainingBatch): TopRows {
    const size = rows * length * this.k
    // Whatever stands where there is no target counts for nothing, but the ids of a position must differ.
    const ids = Int32Array.from({ length: size }, (_, at) => at % this.k)
    return { k: this.k, ids, shares: new Float32Array(size) }
  }

  /** Finds the records of a file, whose sizes are held against its own. */
  #index(file: string): void {
    const descriptor = openFile(file)
    this.#opened.push(descriptor)
    const { size } = fstatSync(descriptor)
    const head = Buffer.alloc(headBytes)
    let offset = 0
    while (offset + headBytes <= size) {
      if (readSync(descriptor, head, 0, headBytes, offset) < headBytes) return
      const positions = head.readUInt32LE(2 * hashBytes)
      const end = offset + headBytes + positions * this.k * 8
      if (positions === 0 || end > size) return
      const checksum = head.toString('hex', hashBytes, 2 * hashBytes)
      this.#places.set(head.toString('hex', 0, hashBytes), {
        descriptor,
        offset: offset + headBytes,
        positions,
        checksum,
      })
      offset = end
    }
  }

  /** Reads a record to position `start` on; false where it is damaged. */
  #read({ descriptor, offset, positions, checksum }: Place, top: TopRows, start: number): boolean {
    const count = positions * this.k
    const bytes = Buffer.alloc(8 * count)
    if (readSync(descriptor, bytes, 0, bytes.length, offset) < bytes.length || hashOf(bytes) !== checksum) return false
    const ids = new Int32Array(bytes.buffer, bytes.byteOffset, count)
    const shares = new Float32Array(bytes.buffer, bytes.byteOffset + 4 * count, count)
    if (!ids.every((id) => id >= 0 && id < this.#vocabulary) || !shares.every((share) => share >= 0 && share <= 1))
      return false
    top.ids.set(ids, start * this.k)
    top.shares.set(shares, start * this.k)
    return true
  }

  #write(key: string, positions: number, { ids, shares }: TopRows, start: number): void {
    const [from, to] = [start * this.k, (start + positions) * this.k]
    const data = Buffer.concat([bytesOf(ids.subarray(from, to)), bytesOf(shares.subarray(from, to))])
    const checksum = hashOf(data)
    const head = Buffer.alloc(headBytes)
    head.write(key + checksum, 'hex')
    head.writeUInt32LE(positions, 2 * hashBytes)
    const own = this.#ownFile()
    try {
      // Whole, or not at all: a single write may end in the middle.
      writeFileSync(own.descriptor, Buffer.concat([head, data]))
    } catch (error) {
      throw explained(this.#folder, error)
    }
    this.#places.set(key, { descriptor: own.reads, offset: own.bytes + headBytes, positions, checksum })
    own.bytes += headBytes + data.length
  }

  #ownFile() {
    if (this.#own) return this.#own
    mkdirSync(this.#folder, { recursive: true })
    const file = join(this.#folder, `${randomBytes(8).toString('hex')}${ending}`)
    const descriptor = openToWrite(file, 'wx')
    this.#opened.push(descriptor)
    const reads = openFile(file)
    this.#opened.push(reads)
    return (this.#own = { descriptor, reads, bytes: 0 })
  }

  [Symbol.dispose](): void {
    for (const descriptor of this.#opened) closeSync(descriptor)
    this.#opened.length = 0
  }
}

const ending = '.top'

interface Sequence {
  key: string
  /** Of the batch, from which on it stands. */
  start: number
  /** Up to the last one with a target. */
  positions: number
}

/** The sequences of a batch that have a target. */
function sequencesOf(batch: TrainingBatch): Sequence[] {
  if (!('ids' in batch)) throw new TypeError('images are not kept')
  const sequences: Sequence[] = []
  for (let row = 0; row < batch.rows; row++) {
    const start = row * batch.length
    const labels = batch.labels.subarray(start, start + batch.length)
    const positions = labels.findLastIndex((label) => label >= 0) + 1
    if (positions > 0) sequences.push({ key: keyOf(batch, start, positions), start, positions })
  }
  return sequences
}

function keyOf({ ids, segments }: TokenBatch, start: number, positions: number): string {
  const hash = createHash('sha256').update(bytesOf(ids.subarray(start, start + positions)))
  // Segments say what a token may look at, and with that its position.
  if (segments) hash.update(bytesOf(segments.subarray(start, start + positions)))
  return hash.digest('hex').slice(0, 2 * hashBytes)
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Int32Array | Float32Array) =>
  Buffer.from(buffer, byteOffset, byteLength)

const hashOf = (bytes: Buffer): string =>
  createHash('sha256')
    .update(bytes)
    .digest('hex')
    .slice(0, 2 * hashBytes)
