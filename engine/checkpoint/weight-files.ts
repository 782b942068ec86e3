import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { badFile } from '../shared/errors.ts'
import { readJson } from '../shared/files.ts'
import { explained } from '../shared/system-errors.ts'
import { foreignWeights } from './folder-hint.ts'
import { SafetensorsFile } from './safetensors.ts'
import type { TensorEntry } from './safetensors-header.ts'
import type { StoredTensor } from '../tensor/stored-tensor.ts'

export const singleName = 'model.safetensors'
export const indexName = 'model.safetensors.index.json'

/** A weight as its file gives it when it is read. */
export interface WeightEntry {
  name: string
  /** As safetensors writes it: "F32", "BF16", "I64" and so on. */
  dtype: string
  shape: readonly number[]
  /** Bytes of its numbers in that type. */
  bytes: number
}

/** An open file of weights, of whatever format. */
export interface WeightFile extends Disposable {
  readonly path: string
  /** Reads a weight whole. */
  read(name: string): StoredTensor
  /** Reads rows [first, first + count) of a weight into `target`, which must have exactly their size in bytes. */
  readRows(name: string, first: number, count: number, target: Uint8Array): void
  close(): void
}

/** A weight and the open file that holds it. */
export interface PlacedTensor {
  entry: WeightEntry
  file: WeightFile
}

export interface WeightFiles {
  files: WeightFile[]
  tensors: Map<string, PlacedTensor>
}

const placed = ({ name, dtype, shape, begin, end }: TensorEntry, file: WeightFile): PlacedTensor => ({
  entry: { name, dtype, shape, bytes: end - begin },
  file,
})

const indexSchema = z.looseObject({ weight_map: z.record(z.string(), z.string()) })
const maxIndexBytes = 64 << 20

/**
 * Opens the weights of a Hugging Face folder, headers only: model.safetensors, else the shards of the index, else every
 * shard that lies there. Errors: no weights, a missing shard, an index that names a tensor which its shard does not hold,
 * a tensor in two shards, and whatever is wrong with a header. No file stays open after an error.
 */
export function openWeightFiles(folder: string): WeightFiles {
  const files: SafetensorsFile[] = []
  const open = (name: string): SafetensorsFile => {
    const file = new SafetensorsFile(join(folder, name))
    files.push(file)
    return file
  }
  try {
    const index = join(folder, indexName)
    const indexed = !existsSync(join(folder, singleName)) && existsSync(index)
    const tensors = indexed ? indexedTensors(folder, index, open) : allTensors(weightNames(folder).map(open))
    return { files, tensors }
  } catch (error) {
    for (const file of files) file.close()
    throw error
  }
}

function indexedTensors(folder: string, index: string, open: (name: string) => SafetensorsFile) {
  const { weight_map: map } = readJson(index, indexSchema, { maxBytes: maxIndexBytes })
  const shards = new Map<string, SafetensorsFile>()
  const tensors = new Map<string, PlacedTensor>()
  for (const [tensor, shard] of Object.entries(map)) {
    if (basename(shard) !== shard || shard.includes('\\') || !shard.endsWith('.safetensors')) {
      throw badFile(index, `weight_map.${tensor}`, `"${shard}" is not the name of a safetensors file in this folder`)
    }
    let file = shards.get(shard)
    if (!file) {
      if (!existsSync(join(folder, shard))) {
        throw badFile(join(folder, shard), undefined, `is missing; ${indexName} says that it holds ${tensor}. Fetch it`)
      }
      file = open(shard)
      shards.set(shard, file)
    }
    const entry = file.tensors.get(tensor)
    if (!entry) throw badFile(index, `weight_map.${tensor}`, `the tensor is not in ${shard}`)
    tensors.set(tensor, placed(entry, file))
  }
  return tensors
}

function allTensors(files: readonly SafetensorsFile[]) {
  const tensors = new Map<string, PlacedTensor>()
  for (const file of files) {
    for (const [name, entry] of file.tensors) {
      const other = tensors.get(name)
      if (other) throw badFile(file.path, name, `is also in ${basename(other.file.path)}`)
      tensors.set(name, placed(entry, file))
    }
  }
  return tensors
}

function weightNames(folder: string): string[] {
  let all: string[]
  try {
    all = readdirSync(folder).sort()
  } catch (error) {
    throw explained(folder, error)
  }
  if (all.includes(singleName)) return [singleName]
  // Mistral's folders hold the same weights a second time, under Mistral's own names; adapters are no weights.
  const names = all.filter((name) => name.endsWith('.safetensors') && !/^(consolidated|adapter)/.test(name))
  if (names.length === 0) throw badFile(folder, undefined, foreignWeights(all) ?? withoutWeights(all))
  for (const name of names) checkSiblings(folder, name, names)
  return names
}

/** A shard's name says how many there are: without an index, that is how a missing one is known. */
function checkSiblings(folder: string, name: string, names: readonly string[]): void {
  const shard = /^(.*-)(\d{5})-of-(\d{5})\.safetensors$/.exec(name)
  if (!shard) return
  const [, prefix, , parts] = shard
  for (let part = 1; part <= Number(parts); part++) {
    const sibling = `${prefix}${String(part).padStart(5, '0')}-of-${parts}.safetensors`
    if (!names.includes(sibling)) throw badFile(join(folder, sibling), undefined, `is missing beside ${name}. Fetch it`)
  }
}

function withoutWeights(names: readonly string[]): string {
  if (names.includes('adapter_config.json'))
    return 'holds an adapter, not a checkpoint; give the folder of its base model'
  return `holds no ${singleName} and no shards of one`
}
