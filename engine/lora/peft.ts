import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { checkFinite } from '../checkpoint/check-finite.ts'
import { fromFloat32, toFloat32 } from '../checkpoint/dtype.ts'
import { withoutAdapterHint } from '../checkpoint/folder-hint.ts'
import { elementsOf, type TensorEntry } from '../checkpoint/safetensors-header.ts'
import { writeSafetensors } from '../checkpoint/safetensors-writer.ts'
import { SafetensorsFile } from '../checkpoint/safetensors.ts'
import { separateModules } from '../models/decoder.ts'
import type { LinearName } from '../models/family.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { families, familyOf } from '../models/registry.ts'
import { linearsOf } from '../models/tensors.ts'
import { badFile } from '../shared/errors.ts'
import { createFolderAtomically, writeJson } from '../shared/files.ts'
import type { StoredTensor } from '../tensor/stored-tensor.ts'
import type { AdapterValues, PairValues } from './adapter.ts'
import { fusedPairs, type LowRankMatrices, matrixKey, moduleName, splitPair } from './fused-modules.ts'
import { type AdapterConfig, adapterConfigJson, rankOf, readAdapterConfig } from './peft-config.ts'

const configName = 'adapter_config.json'
const weightsName = 'adapter_model.safetensors'
const weightsPrefix = 'base_model.model.'

/** A LoRA adapter as PEFT stores it. */
export interface PeftAdapter extends AdapterConfig {
  targetModules: LinearName[]
  /**
   * Keyed "layers.0.q", and "layers.0.q+k+v" where several linear layers are one module. PEFT adapters may leave layers out.
   */
  matrices: Map<string, LowRankMatrices>
}

export interface ReadAdapter extends PeftAdapter {
  folder: string
}

/**
 * Reads a PEFT adapter folder. Errors name the file and the field or tensor: kinds of adapter that are not supported,
 * a factor without its other half, shapes that do not fit each other or the rank, numbers that are not finite.
 */
export function readAdapter(folder: string): ReadAdapter {
  const config = readAdapterConfig(configIn(folder))
  using file = openWeights(folder)
  const matrices = new Map<string, LowRankMatrices>()
  for (const [key, pair] of pairFactors(file)) matrices.set(key, readPair(file, config, pair))
  return { ...config, folder, targetModules: linearNamesOf(matrices), matrices }
}

/** What an adapter is, from its config and the header of its weights. Errors are those of `readAdapter`. */
export function inspectAdapter(folder: string) {
  const config = readAdapterConfig(configIn(folder))
  const { base, rankPattern: _, ...facts } = config
  using file = openWeights(folder)
  const pairs = pairFactors(file)
  for (const pair of pairs.values()) checkPair(file, config, pair)
  const tensors = [...pairs.values()].flatMap(({ a, b }) => [a, b])
  return {
    ...facts,
    base: base ?? null,
    targetModules: linearNamesOf(pairs),
    layers: new Set([...pairs.keys()].map((key) => partsOf(key)[0])).size,
    parameters: tensors.reduce((sum, { shape }) => sum + elementsOf(shape), 0),
    bytes: tensors.reduce((sum, { begin, end }) => sum + end - begin, 0),
  }
}

/** @throws SecateurError that says what the folder is instead, where it is no adapter. */
function configIn(folder: string): string {
  const file = join(folder, configName)
  const other = existsSync(file) ? null : withoutAdapterHint(folder)
  if (other !== null) throw badFile(folder, undefined, other)
  return file
}

function openWeights(folder: string): SafetensorsFile {
  const path = join(folder, weightsName)
  if (!existsSync(path) && existsSync(join(folder, 'adapter_model.bin'))) {
    throw badFile(folder, 'adapter_model.bin', `can run code and is not read; save the adapter as ${weightsName}`)
  }
  return new SafetensorsFile(path)
}

/** Linear layers that are adapted, in the order of their block. */
const linearNamesOf = (byKey: ReadonlyMap<string, unknown>): LinearName[] => {
  const adapted = new Set([...byKey.keys()].flatMap((key) => partsOf(key)[1]))
  return Object.values(separateModules)
    .flat()
    .filter((name) => adapted.has(name))
}

interface Pair {
  /** The last part of the module's name. */
  module: string
  a: TensorEntry
  b: TensorEntry
}

/** Modules of all families, by their path within a block. */
const knownModules = new Map(families.flatMap(({ modules }) => Object.entries(modules)))

/** Layer, module within the layer, and factor. */
const factorName = /^base_model\.model\.model\.layers\.(\d+)\.(\w+\.\w+)\.lora_([AB])(?:\.default)?\.weight$/

function pairFactors(file: SafetensorsFile): Map<string, Pair> {
  const found = new Map<string, Partial<Pair> & { module: string }>()
  for (const [name, entry] of file.tensors) {
    const match = factorName.exec(name)
    const linears = match && knownModules.get(match[2]!)
    if (!match || !linears) {
      throw badFile(file.path, name, 'is not a LoRA matrix of q, k, v, o, gate, up or down; others are not supported')
    }
    const key = matrixKey(Number(match[1]), linears)
    const pair = found.get(key) ?? { module: moduleName(match[2]!) }
    const half = match[3] === 'A' ? 'a' : 'b'
    if (pair[half]) throw badFile(file.path, name, 'is there under two names')
    found.set(key, { ...pair, [half]: entry })
  }
  const pairs = new Map<string, Pair>()
  for (const [key, { module, a, b }] of found) {
    if (!a || !b) throw badFile(file.path, (a ?? b)!.name, `has no lora_${a ? 'B' : 'A'} beside it`)
    pairs.set(key, { module, a, b })
  }
  if (pairs.size === 0) throw badFile(file.path, undefined, 'holds no LoRA matrices')
  return pairs
}

function checkPair(file: SafetensorsFile, config: AdapterConfig, { module, a, b }: Pair) {
  const rank = rankOf(config, module)
  const [inputs, outputs] = [a.shape[1], b.shape[0]]
  if (a.shape.length !== 2 || a.shape[0] !== rank || inputs === undefined) {
    throw badFile(file.path, a.name, `has shape [${a.shape}]; with rank ${rank} it must be [${rank}, inputs]`)
  }
  if (b.shape.length !== 2 || b.shape[1] !== rank || outputs === undefined) {
    throw badFile(file.path, b.name, `has shape [${b.shape}]; with rank ${rank} it must be [outputs, ${rank}]`)
  }
  return { rank, inputs, outputs }
}

function readPair(file: SafetensorsFile, config: AdapterConfig, pair: Pair): LowRankMatrices {
  const sizes = checkPair(file, config, pair)
  const floats = ({ name }: TensorEntry) => {
    const stored = file.read(name)
    checkFinite(file.path, stored)
    return toFloat32(stored)
  }
  return { a: floats(pair.a), b: floats(pair.b), ...sizes }
}

/** @throws SecateurError where an adapter does not fit a model: a layer that is not there, or other widths. */
export function checkAdapter(adapter: ReadAdapter, config: ModelConfig): void {
  const path = join(adapter.folder, weightsName)
  for (const [key, { inputs, outputs }] of adapter.matrices) {
    const [layer, names] = partsOf(key)
    if (layer >= config.layers.length) {
      throw badFile(path, key, `the model has ${config.layers.length} layers; the adapter belongs to another one`)
    }
    const linears = linearsOf(config, layer).filter(({ name }) => names.includes(name))
    const expectedOutputs = linears.reduce((sum, linear) => sum + linear.outputs, 0)
    const expectedInputs = linears[0]?.inputs ?? 0
    if (inputs === expectedInputs && outputs === expectedOutputs) continue
    const [of, is] = [`[${outputs}, ${inputs}]`, `[${expectedOutputs}, ${expectedInputs}]`]
    throw badFile(path, key, `is for a weight ${of}; the model's is ${is}. The adapter belongs to another model`)
  }
}

/** The values of an adapter that fits the model (see `checkAdapter`), a pair for each linear layer. */
export function pairsOfAdapter(adapter: PeftAdapter, config: ModelConfig): AdapterValues['layers'] {
  const layers: Partial<Record<LinearName, PairValues>>[] = config.layers.map(() => ({}))
  for (const [key, matrices] of adapter.matrices) {
    const [layer, names] = partsOf(key)
    const linears = linearsOf(config, layer).filter(({ name }) => names.includes(name))
    Object.assign(layers[layer]!, splitPair(matrices, linears))
  }
  return layers
}

function partsOf(key: string): [number, LinearName[]] {
  const [, layer, linears] = key.split('.')
  return [Number(layer), linears!.split('+')]
}

/** The matrices of an adapter that is kept layer by layer, as `writeAdapter` takes them. */
export function adapterMatrices(config: ModelConfig, layers: AdapterValues['layers']): Map<string, LowRankMatrices> {
  const matrices = new Map<string, LowRankMatrices>()
  for (const [layer, pairs] of layers.entries()) {
    for (const { name, outputs, inputs } of linearsOf(config, layer)) {
      const pair = pairs[name]
      if (pair) matrices.set(matrixKey(layer, [name]), { ...pair, rank: pair.a.length / inputs, inputs, outputs })
    }
  }
  return matrices
}

/**
 * Writes an adapter as a PEFT folder, in float32; the whole folder appears at once.
 *
 * @param model the base model's config
 * @param beside writes what else belongs into the folder, such as a model card
 */
export async function writeAdapter(
  folder: string,
  adapter: PeftAdapter,
  model: ModelConfig,
  beside?: (folder: string) => void,
): Promise<void> {
  const { pairs, ...patterns } = fusedPairs(adapter, model)
  const tensors = pairs.flatMap(({ layer, path, a, b, rank, inputs, outputs }) => {
    const module = `${weightsPrefix}model.layers.${layer}.${path}`
    return [
      float32Tensor(`${module}.lora_A.weight`, [rank, inputs], a),
      float32Tensor(`${module}.lora_B.weight`, [outputs, rank], b),
    ]
  })
  const modules = Object.entries(familyOf(model).modules)
  const targets = adapter.targetModules.flatMap((name) =>
    modules.filter(([, names]) => names.includes(name)).map(([path]) => moduleName(path)),
  )
  await createFolderAtomically(folder, (temporary) => {
    writeSafetensors(join(temporary, weightsName), tensors)
    writeJson(join(temporary, configName), adapterConfigJson(adapter, [...new Set(targets)], patterns))
    beside?.(temporary)
  })
}

const float32Tensor = (name: string, shape: number[], values: Float32Array): StoredTensor => ({
  name,
  dtype: 'float32',
  shape,
  bytes: fromFloat32(values, 'float32'),
})
