import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { badFile } from '../shared/errors.ts'
import { refuseSpecial } from '../shared/open-file.ts'
import { explained } from '../shared/system-errors.ts'
import { checkFinite } from '../checkpoint/check-finite.ts'
import { readConfig } from './registry.ts'
import { ignoredText, matchTensors, underFamilyNames, type TensorSummary } from './match-tensors.ts'
import { checkSameHead, headDiffers, storedHead, type StoredHead } from './tied-head.ts'
import type { ModelConfig } from './model-config.ts'
import type { StoredTensor, WeightType } from '../tensor/stored-tensor.ts'
import { elementsOf } from '../checkpoint/safetensors-header.ts'
import type { SafetensorsFile } from '../checkpoint/safetensors.ts'
import { withoutConfigHint } from '../checkpoint/folder-hint.ts'
import { openWeightFiles, type PlacedTensor } from '../checkpoint/weight-files.ts'

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
  /** What a person must know of how the folder was read: where config and weights contradict each other, what is left out. */
  readonly warnings: readonly string[]
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
  /** A head that is stored beside the embedding that it repeats, until all of it has been compared. */
  #sameHead: StoredHead | null = null

  /** See `openCheckpoint`. Errors name the file and the field or tensor; no file stays open after one. */
  constructor(folder: string) {
    checkFolder(folder)
    this.folder = folder
    const config = readConfig(configIn(folder))
    const { files, tensors: stored } = openWeightFiles(folder)
    this.#files = files
    try {
      const tensors = underFamilyNames(config, stored)
      this.#places = tensors
      const head = storedHead(config, tensors)
      const untied = head !== null && headDiffers(head)
      this.config = untied ? { ...config, tiedEmbeddings: false } : config
      if (!untied) this.#sameHead = head
      const { used, ignored } = matchTensors(folder, this.config, tensors)
      this.tensors = used
      this.ignored = ignored
      this.warnings = [...(untied ? [untiedText(folder, head)] : []), ...ignoredText(folder, ignored)]
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
    const { file, entry } = this.#place(name)
    const tensor = file.read(entry.name)
    checkFinite(file.path, tensor)
    return { ...tensor, name }
  }

  /** Reads rows [first, first + count) of a weight into `target`; see `SafetensorsFile.readRows`. */
  readRows(name: string, first: number, count: number, target: Uint8Array): void {
    const { file, entry } = this.#place(name)
    file.readRows(entry.name, first, count, target)
  }

  /** Reads rows [first, first + count) of a weight, of its own type. Throws as `read` does, the first time they are read. */
  rowsOf(name: string, first: number, count: number): StoredTensor {
    const { file, entry } = this.#place(name)
    const { dtype, shape, bytes } = this.tensors.get(name)!
    const rows = new Uint8Array((bytes / (shape[0] ?? 1)) * count)
    file.readRows(entry.name, first, count, rows)
    const tensor = { name, dtype, shape: [count, ...shape.slice(1)], bytes: rows }
    const checked = this.#checkedRows.get(name) ?? 0
    if (first + count > checked) checkFinite(file.path, tensor, first)
    if (first <= checked) this.#checkedRows.set(name, Math.max(checked, first + count))
    return tensor
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

function checkFolder(folder: string): void {
  try {
    if (!statSync(folder).isDirectory()) {
      refuseSpecial(folder)
      const gguf = /\.gguf$/i.test(folder)
      const text = gguf
        ? 'is a GGUF file, which is not read: take the original checkpoint in safetensors, and give its folder'
        : 'is a file; give the folder that holds it'
      throw badFile(folder, undefined, text)
    }
  } catch (error) {
    throw explained(folder, error)
  }
}

/** @throws SecateurError that says what the folder is instead, where it is no checkpoint. */
function configIn(folder: string): string {
  const file = join(folder, 'config.json')
  const other = existsSync(file) ? null : withoutConfigHint(folder)
  if (other !== null) throw badFile(folder, undefined, other)
  return file
}

const untiedText = (folder: string, { embedding, head }: StoredHead) =>
  `${join(folder, 'config.json')} sets tie_word_embeddings to true, but ${head.entry.name} differs from ` +
  `${embedding.entry.name}: both are used, and both are written, with tie_word_embeddings set to false.`

function commonType(tensors: readonly TensorSummary[]): WeightType {
  const parameters = new Map<WeightType, number>()
  for (const { dtype, shape } of tensors) parameters.set(dtype, (parameters.get(dtype) ?? 0) + elementsOf(shape))
  return [...parameters].reduce((most, each) => (each[1] > most[1] ? each : most))[0]
}
