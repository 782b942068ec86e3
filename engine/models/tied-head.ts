import { toFloat32 } from '../checkpoint/dtype.ts'
import { weightTypeOf } from '../checkpoint/safetensors-header.ts'
import type { PlacedTensor } from '../checkpoint/weight-files.ts'
import { badFile } from '../shared/errors.ts'
import type { ModelConfig } from './model-config.ts'
import { tensorsOf } from './tensors.ts'

/** Tables up to this size are compared whole when a checkpoint is opened; of larger ones some rows are. */
const comparedBytes = 16 * 2 ** 20
const sampledRows = 256
const chunkBytes = 4 * 2 ** 20

/** An output head that is stored although config.json says that it is the embedding. */
export interface StoredHead {
  embedding: PlacedTensor
  head: PlacedTensor
}

/** The output head that a checkpoint of tied embeddings stores all the same; null where it stores none. */
export function storedHead(config: ModelConfig, found: ReadonlyMap<string, PlacedTensor>): StoredHead | null {
  if (!config.tiedEmbeddings) return null
  const tensors = tensorsOf({ ...config, tiedEmbeddings: false })
  const placeOf = (part: 'embedding' | 'head') => found.get(tensors.find(({ role }) => role.part === part)?.name ?? '')
  const [embedding, head] = [placeOf('embedding'), placeOf('head')]
  return embedding && head ? { embedding, head } : null
}

/**
 * Whether a stored head is seen to be another than the embedding when a checkpoint is opened: by its shape, by all rows of
 * a small one, or by rows spread over a large one. What these rows do not show, `checkSameHead` finds.
 */
export function headDiffers({ embedding, head }: StoredHead): boolean {
  const rows = head.entry.shape[0] ?? 0
  if (!comparable(embedding, head)) return true
  if (head.entry.bytes <= comparedBytes) return differingRow({ embedding, head }) !== null
  for (let sample = 0; sample < sampledRows; sample++) {
    const row = Math.round((sample * (rows - 1)) / (sampledRows - 1))
    if (rowsDiffer(embedding, head, row, 1)) return true
  }
  return false
}

/** @throws SecateurError where a head that looked like the embedding when the checkpoint was opened is another. */
export function checkSameHead(stored: StoredHead, configFile: string): void {
  const row = differingRow(stored)
  if (row === null) return
  const { embedding, head } = stored
  throw badFile(
    head.file.path,
    head.entry.name,
    `differs from ${embedding.entry.name} from about row ${row} on, but ${configFile} sets tie_word_embeddings to true. ` +
      'Set it to false to use both, or remove the head to use the embedding alone',
  )
}

/** The first row of the first piece of the tables in which they differ, or null. */
function differingRow({ embedding, head }: StoredHead): number | null {
  const [rows = 0, width = 1] = head.entry.shape
  const step = Math.max(1, Math.floor(chunkBytes / (4 * width)))
  for (let first = 0; first < rows; first += step)
    if (rowsDiffer(embedding, head, first, Math.min(step, rows - first))) return first
  return null
}

function comparable({ entry: one }: PlacedTensor, { entry: other }: PlacedTensor): boolean {
  const sameShape =
    one.shape.length === other.shape.length && one.shape.every((size, axis) => size === other.shape[axis])
  return sameShape && weightTypeOf(one.dtype) !== undefined && weightTypeOf(other.dtype) !== undefined
}

/** Bytes first, since they are nearly always the same; numbers where types differ or zeros have two signs. */
function rowsDiffer(one: PlacedTensor, other: PlacedTensor, first: number, count: number): boolean {
  const [a, b] = [bytesOf(one, first, count), bytesOf(other, first, count)]
  if (one.entry.dtype === other.entry.dtype && Buffer.compare(a, b) === 0) return false
  const others = numbersOf(other, b)
  return numbersOf(one, a).some((value, index) => value !== others[index])
}

const numbersOf = ({ entry }: PlacedTensor, bytes: Uint8Array) =>
  toFloat32({ dtype: weightTypeOf(entry.dtype)!, bytes })

function bytesOf({ entry, file }: PlacedTensor, first: number, count: number): Uint8Array {
  const bytes = new Uint8Array((entry.bytes / entry.shape[0]!) * count)
  file.readRows(entry.name, first, count, bytes)
  return bytes
}
