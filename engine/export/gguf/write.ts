import { setImmediate } from 'node:timers/promises'
import { GgufWriter, type GgufKeys } from '../../checkpoint/gguf/writer.ts'
import { tensorTypes } from '../../checkpoint/gguf/types.ts'
import { elementsOf } from '../../checkpoint/safetensors-header.ts'
import { fromFloat32 } from '../../checkpoint/dtype.ts'
import type { Checkpoint } from '../../models/checkpoint.ts'
import { SecateurError } from '../../shared/errors.ts'
import type { WorkControl } from '../../shared/work-control.ts'
import type { Encoded, EncodeTask, Known } from '../quantise/encode.ts'
import { EncoderPool } from '../quantise/encoder-pool.ts'
import type { ExportTensor } from './plan.ts'

/** Numbers that are encoded at once: a piece of a tensor. */
export const pieceNumbers = 1 << 20
const fewNumbers = 1 << 16

export interface WriteOptions {
  /** That encode; all cores where not given. */
  threads?: number | undefined
  /** Looks at layers before their tensors are encoded, and at what they became; null: nothing is known of any. */
  observer?: LayerObserver | null
}

export interface LayerObserver {
  /** Called when all tensors that come before a layer stand in the file, and when all of the layer do. */
  open(layer: number): Promise<void>
  close(layer: number): Promise<void>
  /** What is known of what a tensor of the layer that is open is multiplied with: of rows that follow each other, all in all. */
  knownOf(tensor: ExportTensor): readonly KnownRows[]
}

export interface KnownRows {
  rows: number
  known: Known | null
}

/**
 * Writes the tensors of a plan, piece by piece, encoded on all cores; a few pieces are in memory at a time.
 *
 * @throws SecateurError that names a tensor with a number that its type cannot hold
 */
export async function writeGguf(
  file: string,
  keys: GgufKeys,
  tensors: readonly ExportTensor[],
  checkpoint: Checkpoint,
  { signal, progress }: WorkControl,
  { threads, observer = null }: WriteOptions = {},
): Promise<void> {
  using writer = new GgufWriter(file, keys, tensors)
  const total = tensors.reduce((sum, { shape }) => sum + elementsOf(shape), 0)
  await using pool = new EncoderPool(total, threads)
  let done = 0
  const underWay = new Set<Promise<void>>()
  let failure: unknown = null
  const put = async (piece: Piece) => {
    const encoded = await pool.run(piece.task)
    writer.write(piece.tensor.name, piece.offset, bytesOf(encoded, checkpoint.folder, piece.tensor))
    progress((done += piece.numbers), total)
  }
  const settled = async () => {
    await Promise.all(underWay)
    if (failure !== null) throw failure
  }
  try {
    let open: number | null = null
    for (const tensor of tensors) {
      const layer = layerOf(tensor)
      if (observer && layer !== open) {
        await settled()
        if (open !== null) await observer.close(open)
        if (layer !== null) await observer.open(layer)
        open = layer
      }
      for (const piece of pieces(tensor, checkpoint, observer)) {
        const writing: Promise<void> = put(piece)
          .catch((error: unknown) => void (failure ??= error))
          .finally(() => underWay.delete(writing))
        underWay.add(writing)
        while (underWay.size >= pool.width) await Promise.race(underWay)
        // Gigabytes take a while, in which a stop must still be heard.
        await setImmediate()
        signal.throwIfAborted()
        if (failure !== null) throw failure
      }
    }
    await settled()
  } finally {
    await Promise.all(underWay)
  }
  writer.finish()
}

const layerOf = ({ from }: ExportTensor): number | null => ('tensor' in from ? from.tensor.spec.role.layer : null)

interface Piece {
  tensor: ExportTensor
  task: EncodeTask
  /** Bytes of the tensor that come before. */
  offset: number
  numbers: number
}

function bytesOf(encoded: Encoded, file: string, { from, name }: ExportTensor): Uint8Array {
  if ('bytes' in encoded) return encoded.bytes
  const field = 'tensor' in from ? from.tensor.spec.name : name
  throw new SecateurError('unsupported', encoded.message, { file, field })
}

function* pieces(tensor: ExportTensor, checkpoint: Checkpoint, observer: LayerObserver | null): Generator<Piece> {
  const { shape, type } = tensor
  const [columns, rows] = shape.length === 1 ? [1, shape[0]!] : [shape.at(-1)!, elementsOf(shape) / shape.at(-1)!]
  const { weights, bytes } = tensorTypes[type]
  let first = 0
  for (const part of observer?.knownOf(tensor) ?? [{ rows, known: null }]) {
    const { known } = part
    // Making up for errors takes so much longer that all threads should have some of it.
    const numbers = known?.feedback ? fewNumbers : pieceNumbers
    const step = Math.max(1, Math.floor(numbers / (columns * tensor.together))) * tensor.together
    for (const end = first + part.rows; first < end;) {
      const count = Math.min(step, end - first)
      const offset = ((first * columns) / weights) * bytes
      yield { tensor, task: { ...taskOf(tensor, checkpoint, first, count), known }, offset, numbers: count * columns }
      first += count
    }
  }
}

/** What becomes rows [first, first + count) of a tensor; elements count as rows where there is one dimension. */
function taskOf(
  { from, rows, columns, type }: ExportTensor,
  checkpoint: Checkpoint,
  first: number,
  count: number,
): EncodeTask {
  if ('values' in from) {
    const bytes = fromFloat32(from.values.slice(first, first + count), 'float32')
    return { bytes, dtype: 'float32', columns: 1, rows: null, places: null, added: 0, factor: 1, type }
  }
  const { spec, added, factor } = from.tensor
  const wanted = rows?.slice(first, first + count)
  const [low, high] = wanted ? rangeOf(wanted) : [first, first + count]
  const source = checkpoint.rowsOf(spec.name, low, high - low)
  return {
    bytes: source.bytes,
    dtype: source.dtype,
    columns: source.shape[1] ?? 1,
    rows: wanted?.map((row) => (row < 0 ? row : row - low)) ?? null,
    places: columns,
    added,
    factor,
    type,
  }
}

/** The rows that a list names, from the first to behind the last; the first row where it names none. */
function rangeOf(rows: Int32Array): [number, number] {
  const named = rows.filter((row) => row >= 0)
  if (named.length === 0) return [0, 1]
  return [named.reduce((least, row) => Math.min(least, row)), named.reduce((most, row) => Math.max(most, row)) + 1]
}
