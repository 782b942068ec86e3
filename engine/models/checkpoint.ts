import { statSync } from 'node:fs'
import { join } from 'node:path'
import { badFile } from '../shared/errors.ts'
import { explained } from '../shared/files.ts'
import { checkFinite } from '../checkpoint/check-finite.ts'
import { readConfig } from './registry.ts'
import { expectedTensors } from './tensors.ts'
import type { ModelConfig } from './model-config.ts'
import type { StoredTensor, WeightType } from '../tensor/stored-tensor.ts'
import { elementsOf, weightTypeOf } from '../checkpoint/safetensors-header.ts'
import type { SafetensorsFile } from '../checkpoint/safetensors.ts'
import { openWeightFiles, type PlacedTensor } from '../checkpoint/weight-files.ts'

/** What is known of a weight without reading it. */
export interface TensorSummary {
  name: string
  dtype: WeightType
  shape: readonly number[]
  bytes: number
  /** Path of the file that holds it. */
  file: string
}

/** Opens a Hugging Face folder: reads and checks its config and the headers of its weights, and no weights. */
export const openCheckpoint = (folder: string): Checkpoint => new Checkpoint(folder)

/** A checkpoint whose config and tensors agree. Weights are read when asked for. */
export class Checkpoint {
  readonly folder: string
  readonly config: ModelConfig
  /** The weights of the model, in the order in which the model uses them. */
  readonly tensors: ReadonlyMap<string, TensorSummary>
  /** Tensors in the files that the model does not use, such as stored rotary frequencies. */
  readonly ignored: readonly string[]
  /** The type of most parameters. */
  readonly dtype: WeightType
  /** Tied embeddings count once. */
  readonly parameters: number
  /** Bytes of the weights that the model uses. */
  readonly bytes: number
  readonly #files: readonly SafetensorsFile[]
  readonly #places: ReadonlyMap<string, PlacedTensor>
  /** How many rows of a weight, from its first, were found to be finite. */
  readonly #checkedRows = new Map<string, number>()

  /** See `openCheckpoint`. Errors name the file and the field or tensor; no file stays open after one. */
  constructor(folder: string) {
    checkFolder(folder)
    this.folder = folder
    this.config = readConfig(join(folder, 'config.json'))
    const { files, tensors } = openWeightFiles(folder)
    this.#files = files
    this.#places = tensors
    try {
      const { used, ignored } = matchTensors(folder, this.config, tensors)
      this.tensors = used
      this.ignored = ignored
    } catch (error) {
      this.close()
      throw error
    }
    const all = [...this.tensors.values()]
    this.dtype = commonType(all)
    this.parameters = all.reduce((sum, { shape }) => sum + elementsOf(shape), 0)
    this.bytes = all.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** Reads a weight whole. Throws where a number in it is NaN or infinite. */
  read(name: string): StoredTensor {
    const { file } = this.#place(name)
    const tensor = file.read(name)
    checkFinite(file.path, tensor)
    return tensor
  }

  /** Reads rows [first, first + count) of a weight into `target`; see `SafetensorsFile.readRows`. */
  readRows(name: string, first: number, count: number, target: Uint8Array): void {
    this.#place(name).file.readRows(name, first, count, target)
  }

  /** Reads rows [first, first + count) of a weight, of its own type. Throws as `read` does, the first time they are read. */
  rowsOf(name: string, first: number, count: number): StoredTensor {
    const { file } = this.#place(name)
    const { dtype, shape, bytes } = this.tensors.get(name)!
    const rows = new Uint8Array((bytes / (shape[0] ?? 1)) * count)
    file.readRows(name, first, count, rows)
    const tensor = { name, dtype, shape: [count, ...shape.slice(1)], bytes: rows }
    const checked = this.#checkedRows.get(name) ?? 0
    if (first + count > checked) checkFinite(file.path, tensor, first)
    if (first <= checked) this.#checkedRows.set(name, Math.max(checked, first + count))
    return tensor
  }

  #place(name: string): PlacedTensor {
    const place = this.tensors.has(name) ? this.#places.get(name) : undefined
    if (!place) throw badFile(this.folder, name, 'is not a weight of this model')
    return place
  }

  close(): void {
    for (const file of this.#files) file.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

function checkFolder(folder: string): void {
  try {
    if (!statSync(folder).isDirectory()) throw badFile(folder, undefined, 'is a file; give the folder that holds it')
  } catch (error) {
    throw explained(folder, error)
  }
}

function matchTensors(folder: string, config: ModelConfig, found: ReadonlyMap<string, PlacedTensor>) {
  const configFile = join(folder, 'config.json')
  const expected = expectedTensors(config)
  const used = new Map<string, TensorSummary>()
  const missing: string[] = []
  for (const [name, shape] of expected) {
    const place = found.get(name)
    if (place) used.set(name, summaryOf(place, shape, configFile))
    else missing.push(name)
  }
  if (missing.length > 0) throw missingError(folder, missing, expected.size, [...found.keys()])
  const ignored = [...found.keys()].filter((name) => !expected.has(name))
  const contradicting = ignored.filter((name) => !mayIgnore(name, config))
  if (contradicting.length > 0) {
    const file = found.get(contradicting[0]!)!.file.path
    const others = contradicting.length > 1 ? ` (nor are ${contradicting.length - 1} others)` : ''
    throw badFile(file, contradicting[0], `is not part of the model that ${configFile} describes${others}`)
  }
  return { used, ignored }
}

function summaryOf({ entry, file }: PlacedTensor, shape: readonly number[], configFile: string): TensorSummary {
  const dtype = weightTypeOf(entry.dtype)
  if (!dtype) throw badFile(file.path, entry.name, `is ${entry.dtype}; weights must be F32, F16 or BF16`)
  if (entry.shape.length !== shape.length || entry.shape.some((length, axis) => length !== shape[axis])) {
    throw badFile(file.path, entry.name, `has shape [${entry.shape}]; by ${configFile} it must be [${shape}]`)
  }
  return { name: entry.name, dtype, shape: entry.shape, bytes: entry.end - entry.begin, file: file.path }
}

function missingError(folder: string, missing: readonly string[], expected: number, found: readonly string[]) {
  const [first] = missing
  if (missing.length === 1 && first === 'lm_head.weight') {
    return badFile(folder, first, 'is missing, and config.json does not set tie_word_embeddings to true')
  }
  const prefixed = found.some((name) => name.startsWith('layers.')) ? '. The names lack the prefix "model."' : ''
  const others = missing.length > 1 ? ` (with ${missing.length - 1} others of ${expected})` : ''
  return badFile(folder, first, `is missing from the weights, but config.json needs it${others}${prefixed}`)
}

/** Anything of the decoder that config.json does not know would change what the model computes: only harmless extras pass. */
const mayIgnore = (name: string, config: ModelConfig) =>
  name.endsWith('.rotary_emb.inv_freq') ||
  (name === 'lm_head.weight' && config.tiedEmbeddings) ||
  !(name.startsWith('model.') || name.startsWith('lm_head.'))

function commonType(tensors: readonly TensorSummary[]): WeightType {
  const parameters = new Map<WeightType, number>()
  for (const { dtype, shape } of tensors) parameters.set(dtype, (parameters.get(dtype) ?? 0) + elementsOf(shape))
  return [...parameters].reduce((most, each) => (each[1] > most[1] ? each : most))[0]
}
