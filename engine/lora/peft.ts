import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { badFile } from '../shared/errors.ts'
import { createFolderAtomically, writeJson } from '../shared/files.ts'
import { checkFinite } from '../checkpoint/check-finite.ts'
import { fromFloat32, toFloat32 } from '../checkpoint/dtype.ts'
import type { ModelConfig, StoredTensor } from '../models/model-config.ts'
import { type AdapterConfig, adapterConfigJson, readAdapterConfig } from './peft-config.ts'
import { modulePath, type Projection, projections, projectionShape } from '../models/projections.ts'
import { elementsOf, type TensorEntry } from '../checkpoint/safetensors-header.ts'
import { writeSafetensors } from '../checkpoint/safetensors-writer.ts'
import { SafetensorsFile } from '../checkpoint/safetensors.ts'

const configName = 'adapter_config.json'
const weightsName = 'adapter_model.safetensors'
const weightsPrefix = 'base_model.model.'

/** The two factors of one projection's update, row-major. */
export interface LowRankMatrices {
  /** [rank, inputs] */
  a: Float32Array
  /** [outputs, rank] */
  b: Float32Array
  rank: number
  inputs: number
  outputs: number
}

/** A LoRA adapter as PEFT stores it. */
export interface PeftAdapter extends AdapterConfig {
  projections: Projection[]
  /** Keyed "layers.0.q". PEFT adapters may leave layers out. */
  matrices: Map<string, LowRankMatrices>
}

export interface ReadAdapter extends PeftAdapter {
  folder: string
}

export const matrixKey = (layer: number, projection: Projection) => `layers.${layer}.${projection}`

/**
 * Reads a PEFT adapter folder. Errors name the file and the field or tensor: kinds of adapter that are not supported,
 * a factor without its other half, shapes that do not fit each other or the rank, numbers that are not finite.
 */
export function readAdapter(folder: string): ReadAdapter {
  const config = readAdapterConfig(join(folder, configName))
  using file = openWeights(folder)
  const matrices = new Map<string, LowRankMatrices>()
  for (const [key, { a, b }] of pairFactors(file)) matrices.set(key, readPair(file, config.rank, a, b))
  return { ...config, folder, projections: projectionsOf(matrices), matrices }
}

/** What an adapter is, from its config and the header of its weights. Errors are those of `readAdapter`. */
export function inspectAdapter(folder: string) {
  const { base, ...config } = readAdapterConfig(join(folder, configName))
  using file = openWeights(folder)
  const pairs = pairFactors(file)
  for (const { a, b } of pairs.values()) checkPair(file, config.rank, a, b)
  const tensors = [...pairs.values()].flatMap(({ a, b }) => [a, b])
  return {
    ...config,
    base: base ?? null,
    projections: projectionsOf(pairs),
    layers: new Set([...pairs.keys()].map((key) => partsOf(key)[0])).size,
    parameters: tensors.reduce((sum, { shape }) => sum + elementsOf(shape), 0),
    bytes: tensors.reduce((sum, { begin, end }) => sum + end - begin, 0),
  }
}

function openWeights(folder: string): SafetensorsFile {
  const path = join(folder, weightsName)
  if (!existsSync(path) && existsSync(join(folder, 'adapter_model.bin'))) {
    throw badFile(folder, 'adapter_model.bin', `can run code and is not read; save the adapter as ${weightsName}`)
  }
  return new SafetensorsFile(path)
}

const projectionsOf = (byKey: ReadonlyMap<string, unknown>): Projection[] =>
  projections.filter((projection) => [...byKey.keys()].some((key) => key.endsWith(`.${projection}`)))

interface Pair {
  a: TensorEntry
  b: TensorEntry
}

/** Layer, module within the layer, and factor. */
const factorName =
  /^base_model\.model\.model\.layers\.(\d+)\.((?:self_attn|mlp)\.\w+_proj)\.lora_([AB])(?:\.default)?\.weight$/

function pairFactors(file: SafetensorsFile): Map<string, Pair> {
  const found = new Map<string, Partial<Pair>>()
  for (const [name, entry] of file.tensors) {
    const match = factorName.exec(name)
    const module = match && `model.layers.${match[1]}.${match[2]}`
    const projection = match && projections.find((each) => modulePath(Number(match[1]), each) === module)
    if (!match || !projection) {
      throw badFile(file.path, name, 'is not a LoRA matrix of q, k, v, o, gate, up or down; others are not supported')
    }
    const key = matrixKey(Number(match[1]), projection)
    const pair = found.get(key) ?? {}
    const half = match[3] === 'A' ? 'a' : 'b'
    if (pair[half]) throw badFile(file.path, name, 'is there under two names')
    found.set(key, { ...pair, [half]: entry })
  }
  const pairs = new Map<string, Pair>()
  for (const [key, { a, b }] of found) {
    if (!a || !b) throw badFile(file.path, (a ?? b)!.name, `has no lora_${a ? 'B' : 'A'} beside it`)
    pairs.set(key, { a, b })
  }
  if (pairs.size === 0) throw badFile(file.path, undefined, 'holds no LoRA matrices')
  return pairs
}

function checkPair(file: SafetensorsFile, rank: number, a: TensorEntry, b: TensorEntry) {
  const [inputs, outputs] = [a.shape[1], b.shape[0]]
  if (a.shape.length !== 2 || a.shape[0] !== rank || inputs === undefined) {
    throw badFile(file.path, a.name, `has shape [${a.shape}]; with rank ${rank} it must be [${rank}, inputs]`)
  }
  if (b.shape.length !== 2 || b.shape[1] !== rank || outputs === undefined) {
    throw badFile(file.path, b.name, `has shape [${b.shape}]; with rank ${rank} it must be [outputs, ${rank}]`)
  }
  return { inputs, outputs }
}

function readPair(file: SafetensorsFile, rank: number, a: TensorEntry, b: TensorEntry): LowRankMatrices {
  const { inputs, outputs } = checkPair(file, rank, a, b)
  const floats = ({ name }: TensorEntry) => {
    const stored = file.read(name)
    checkFinite(file.path, stored)
    return toFloat32(stored)
  }
  return { a: floats(a), b: floats(b), rank, inputs, outputs }
}

/** Throws where an adapter does not fit a model: a layer that is not there, or other widths. */
export function checkAdapter(adapter: ReadAdapter, config: ModelConfig): void {
  const path = join(adapter.folder, weightsName)
  for (const [key, { inputs, outputs }] of adapter.matrices) {
    const [layer, projection] = partsOf(key)
    if (layer >= config.layers.length) {
      throw badFile(path, key, `the model has ${config.layers.length} layers; the adapter belongs to another one`)
    }
    const [expectedOutputs, expectedInputs] = projectionShape(config, layer, projection)
    if (inputs === expectedInputs && outputs === expectedOutputs) continue
    const [of, is] = [`[${outputs}, ${inputs}]`, `[${expectedOutputs}, ${expectedInputs}]`]
    throw badFile(path, key, `is for a weight ${of}; the model's is ${is}. The adapter belongs to another model`)
  }
}

function partsOf(key: string): [number, Projection] {
  const [, layer, projection] = key.split('.')
  return [Number(layer), projection as Projection]
}

/** The matrices of an adapter that is kept layer by layer, as `writeAdapter` takes them. */
export function adapterMatrices(
  config: ModelConfig,
  layers: readonly Partial<Record<Projection, { a: Float32Array; b: Float32Array }>>[],
): Map<string, LowRankMatrices> {
  const matrices = new Map<string, LowRankMatrices>()
  for (const [layer, pairs] of layers.entries()) {
    for (const projection of projections) {
      const pair = pairs[projection]
      if (!pair) continue
      const [outputs, inputs] = projectionShape(config, layer, projection)
      matrices.set(matrixKey(layer, projection), { ...pair, rank: pair.a.length / inputs, inputs, outputs })
    }
  }
  return matrices
}

/** Writes an adapter as a PEFT folder, in float32; the whole folder appears at once. */
export async function writeAdapter(folder: string, adapter: PeftAdapter): Promise<void> {
  const tensors: StoredTensor[] = []
  for (const [key, { a, b, rank, inputs, outputs }] of adapter.matrices) {
    const module = weightsPrefix + modulePath(...partsOf(key))
    tensors.push(float32Tensor(`${module}.lora_A.weight`, [rank, inputs], a))
    tensors.push(float32Tensor(`${module}.lora_B.weight`, [outputs, rank], b))
  }
  await createFolderAtomically(folder, (temporary) => {
    writeSafetensors(join(temporary, weightsName), tensors)
    writeJson(join(temporary, configName), adapterConfigJson(adapter, adapter.projections))
  })
}

const float32Tensor = (name: string, shape: number[], values: Float32Array): StoredTensor => ({
  name,
  dtype: 'float32',
  shape,
  bytes: fromFloat32(values, 'float32'),
})
