import { join } from 'node:path'
import { checkFinite } from '../checkpoint/check-finite.ts'
import { isGgufFile } from '../checkpoint/gguf/file.ts'
import { elementsOf } from '../checkpoint/safetensors-header.ts'
import type { PlacedTensor, WeightFile } from '../checkpoint/weight-files.ts'
import { badFile } from '../shared/errors.ts'
import type { StoredTensor, WeightType } from '../tensor/stored-tensor.ts'
import { openFolder } from './checkpoint-folder.ts'
import { openGgufCheckpoint } from './gguf-checkpoint.ts'
import type { TensorSummary } from './match-tensors.ts'
import type { ModelConfig } from './model-config.ts'
import type { Quantisation } from './opened-checkpoint.ts'
import { forImageSize, resizedPositions } from './other-image-size.ts'
import { readConfig } from './registry.ts'
import { checkSameHead, type StoredHead } from './tied-head.ts'

/**
 * Opens a Hugging Face folder or a GGUF file: reads and checks its config and the headers of its weights, and no weights.
 *
 * @param imageSize edge in pixels of images that a model of images is taken for, in place of its own
 */
export const openCheckpoint = (path: string, imageSize?: number): Checkpoint => new Checkpoint(path, imageSize)

/** The config of a checkpoint, of whose weights nothing is read. @throws SecateurError as `openCheckpoint` does */
export function configOf(path: string, imageSize?: number): ModelConfig {
  if (!isGgufFile(path)) return forImageSize(readConfig(join(path, 'config.json')), imageSize)
  using checkpoint = openCheckpoint(path, imageSize)
  return checkpoint.config
}

/** A checkpoint whose config and tensors agree. Weights are read when asked for. */
export class Checkpoint {
  /** Its folder, or its (first) GGUF file. */
  readonly folder: string
  readonly config: ModelConfig
  /** The weights of the model, in the order in which the model uses them. */
  readonly tensors: ReadonlyMap<string, TensorSummary>
  /** Tensors in the files that the model does not use, such as stored rotary frequencies. */
  readonly ignored: readonly string[]
  /** What a person must know of how the folder was read: where config and weights contradict each other, what is left out. */
  readonly warnings: readonly string[]
  /** The type of most parameters. */
  readonly dtype: WeightType
  /** Tied embeddings count once. */
  readonly parameters: number
  /** Bytes of the weights that the model uses. */
  readonly bytes: number
  /** What its weights were rounded to; null where they are stored as numbers of their own. */
  readonly quantisation: Quantisation | null
  readonly #files: readonly WeightFile[]
  /** Learned positions that are resized as they are read. */
  readonly #positions: ReturnType<typeof resizedPositions>
  readonly #places: ReadonlyMap<string, PlacedTensor>
  /** How many rows of a weight, from its first, were found to be finite. */
  readonly #checkedRows = new Map<string, number>()
  /** A head that is stored beside the embedding that it repeats, until all of it has been compared. */
  #sameHead: StoredHead | null

  /** See `openCheckpoint`. Errors name the file and the field or tensor; no file stays open after one. */
  constructor(path: string, imageSize?: number) {
    const opened = isGgufFile(path) ? openGgufCheckpoint(path) : openFolder(path)
    this.folder = opened.path
    this.#files = opened.files
    this.config = this.#closingOnError(() => forImageSize(opened.config, imageSize))
    this.#positions = resizedPositions(opened.config, this.config)
    this.tensors = this.#positions ? withShape(opened.used, this.#positions) : opened.used
    this.ignored = opened.ignored
    this.warnings = opened.warnings
    this.quantisation = opened.quantisation
    this.#places = opened.places
    this.#sameHead = opened.sameHead
    const all = [...this.tensors.values()]
    this.dtype = commonType(all)
    this.parameters = all.reduce((sum, { shape }) => sum + elementsOf(shape), 0)
    this.bytes = all.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** Reads a weight whole. Throws where a number in it is NaN or infinite. */
  read(name: string): StoredTensor {
    const { file, entry } = this.#place(name)
    const tensor = file.read(entry.name)
    checkFinite(file.path, tensor)
    return this.#positions?.name === name ? this.#positions.resize(tensor) : { ...tensor, name }
  }

  /** Reads rows [first, first + count) of a weight into `target`; see `WeightFile.readRows`. */
  readRows(name: string, first: number, count: number, target: Uint8Array): void {
    const { file, entry } = this.#place(name)
    file.readRows(entry.name, first, count, target)
  }

  /**
   * Reads rows [first, first + count) of a weight, of its own type. Throws as `read` does, the first time they are read.
   *
   * @param allocate gives the memory that they are read into
   */
  rowsOf(
    name: string,
    first: number,
    count: number,
    allocate = (bytes: number): Uint8Array => new Uint8Array(bytes),
  ): StoredTensor {
    const { file, entry } = this.#place(name)
    const { dtype, shape, bytes } = this.tensors.get(name)!
    const rows = allocate((bytes / (shape[0] ?? 1)) * count)
    file.readRows(entry.name, first, count, rows)
    const tensor = { name, dtype, shape: [count, ...shape.slice(1)], bytes: rows }
    const checked = this.#checkedRows.get(name) ?? 0
    if (first + count > checked) checkFinite(file.path, tensor, first)
    if (first <= checked) this.#checkedRows.set(name, Math.max(checked, first + count))
    return tensor
  }

  #closingOnError<Result>(work: () => Result): Result {
    try {
      return work()
    } catch (error) {
      this.close()
      throw error
    }
  }

  #place(name: string): PlacedTensor {
    const place = this.tensors.has(name) ? this.#places.get(name) : undefined
    if (!place) throw badFile(this.folder, name, 'is not a weight of this model')
    // Whoever reads the embedding goes without the stored head.
    if (this.#sameHead?.embedding.entry.name === name) {
      checkSameHead(this.#sameHead, join(this.folder, 'config.json'))
      this.#sameHead = null
    }
    return place
  }

  close(): void {
    for (const file of this.#files) file.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** The same weights, one of them in another shape and in 32 bits. */
function withShape(
  tensors: ReadonlyMap<string, TensorSummary>,
  { name, shape }: { name: string; shape: readonly number[] },
): ReadonlyMap<string, TensorSummary> {
  return new Map(
    [...tensors].map(([each, tensor]) => [
      each,
      each === name ? { ...tensor, dtype: 'float32', shape, bytes: 4 * elementsOf(shape) } : tensor,
    ]),
  )
}

function commonType(tensors: readonly TensorSummary[]): WeightType {
  const parameters = new Map<WeightType, number>()
  for (const { dtype, shape } of tensors) parameters.set(dtype, (parameters.get(dtype) ?? 0) + elementsOf(shape))
  return [...parameters].reduce((most, each) => (each[1] > most[1] ? each : most))[0]
}
