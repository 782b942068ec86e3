import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { checkFinite } from '../checkpoint/check-finite.ts'
import { fromFloat32, toFloat32 } from '../checkpoint/dtype.ts'
import { withoutAdapterHint } from '../checkpoint/folder-hint.ts'
import { elementsOf, type TensorEntry } from '../checkpoint/safetensors-header.ts'
import { writeSafetensors } from '../checkpoint/safetensors-writer.ts'
import { SafetensorsFile } from '../checkpoint/safetensors.ts'
import { linearName } from '../contract/index.ts'
import type { LinearName } from '../models/family.ts'
import { type EncoderConfig, isOfImages, pixelsText, type Size, unnamedLabels } from '../models/encoder-config.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { families, familyOf } from '../models/registry.ts'
import { linearsOf } from '../models/tensors.ts'
import { badFile } from '../shared/errors.ts'
import { createFolderAtomically, parseJsonOrNull, writeJson } from '../shared/files.ts'
import type { StoredTensor } from '../tensor/stored-tensor.ts'
import type { AdapterValues, PairValues } from './adapter.ts'
import { withClasses } from './classifier.ts'
import { fusedPairs, type LowRankMatrices, matrixKey, moduleName, splitPair } from './fused-modules.ts'
import { type AdapterConfig, adapterConfigJson, rankOf, readAdapterConfig } from './peft-config.ts'

const configName = 'adapter_config.json'
const weightsName = 'adapter_model.safetensors'
const weightsPrefix = 'base_model.model.'
/** Where the names of a classifier's classes stand in the file of the weights. */
const labelsKey = 'secateur_labels'
/** And where the height and width of the images stand that it was trained on. */
const imageSizeKey = 'secateur_image_size'

/** A LoRA adapter as PEFT stores it. */
export interface PeftAdapter extends AdapterConfig {
  targetModules: LinearName[]
  /**
   * Keyed "layers.0.q", and "layers.0.q+k+v" where several linear layers are one module. PEFT adapters may leave layers out.
   */
  matrices: Map<string, LowRankMatrices>
  /** A classifier that was trained whole. */
  classifier?: TrainedClassifier
  /** Size of the images that the adapter was trained on, where it is known. */
  imageSize?: Size
}

/** Weight a [classes, inputs] and bias b [classes], and the names of the classes where they are known. */
export interface TrainedClassifier extends PairValues {
  inputs: number
  labels: readonly string[] | null
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
  const classifier = readClassifier(file, config)
  const imageSize = imageSizeOf(file)
  return {
    ...config,
    folder,
    targetModules: linearNamesOf(matrices),
    matrices,
    ...(classifier && { classifier }),
    ...(imageSize && { imageSize }),
  }
}

/** What an adapter is, from its config and the header of its weights. Errors are those of `readAdapter`. */
export function inspectAdapter(folder: string) {
  const config = readAdapterConfig(configIn(folder))
  const { base, rankPattern: _, modulesToSave: _whole, ...facts } = config
  using file = openWeights(folder)
  const pairs = pairFactors(file)
  for (const pair of pairs.values()) checkPair(file, config, pair)
  const whole = classifierEntries(file, config)
  const tensors = [...[...pairs.values()].flatMap(({ a, b }) => [a, b]), ...(whole ? [whole.weight, whole.bias] : [])]
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
  return linearName.options.filter((name) => adapted.has(name))
}

interface Pair {
  /** The last part of the module's name. */
  module: string
  a: TensorEntry
  b: TensorEntry
}

/** Modules of all families, by their path within a block. */
const knownModules = new Map(families.flatMap(({ modules }) => Object.entries(modules)))

/** Module and factor. */
const factorName = /^base_model\.model\.(.+)\.lora_([AB])(?:\.default)?\.weight$/
/** Layer, and module within the layer, of a module as families spell it. */
const blockModule = new RegExp(
  `^(?:${[...new Set(families.map(({ blocks }) => blocks.replaceAll('.', '\\.')))].join('|')})\\.(\\d+)\\.(\\w+\\.\\w+)$`,
)
/** A tensor of a module that was trained whole. */
const wholeName = /^base_model\.model\.(?:timm_model\.)?(\w+)\.(?:modules_to_save\.default\.)?(weight|bias)$/

/** The name of a module that all families go by, where versions of transformers spell it differently. */
const spelled = (path: string): string => families.reduce((name, family) => family.modulePath?.(name) ?? name, path)

function pairFactors(file: SafetensorsFile): Map<string, Pair> {
  const found = new Map<string, Partial<Pair> & { module: string }>()
  for (const [name, entry] of file.tensors) {
    if (wholeName.test(name)) continue
    const [, path, factor] = factorName.exec(name) ?? []
    const [, layer, module] = (path !== undefined && blockModule.exec(spelled(path))) || []
    const linears = module === undefined ? undefined : knownModules.get(module)
    if (layer === undefined || module === undefined || !linears) {
      throw badFile(file.path, name, `is not a LoRA matrix of ${linearsText}; others are not supported`)
    }
    const key = matrixKey(Number(layer), linears)
    const pair = found.get(key) ?? { module: moduleName(module) }
    const half = factor === 'A' ? 'a' : 'b'
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

const linearsText = linearName.options.join(', ').replace(/, (?=\w+$)/, ' or ')

/** The tensors of a classifier that was trained whole; null where adapter_config.json names none. */
function classifierEntries(file: SafetensorsFile, { modulesToSave = [] }: AdapterConfig) {
  const found: Partial<Record<'weight' | 'bias', TensorEntry>> = {}
  for (const [name, entry] of file.tensors) {
    const [, module, part] = wholeName.exec(name) ?? []
    if (module === undefined) continue
    if (!modulesToSave.includes(module))
      throw badFile(file.path, name, `belongs to no module that modules_to_save in ${configName} names`)
    if (found[part as 'weight' | 'bias']) throw badFile(file.path, name, 'is there under two names')
    found[part as 'weight' | 'bias'] = entry
  }
  if (modulesToSave.length === 0) return null
  const { weight, bias } = found
  if (!weight || !bias)
    throw badFile(file.path, undefined, `has no ${weight ? 'bias' : 'weight'} of ${modulesToSave.join(', ')}`)
  const [classes, inputs] = weight.shape
  if (weight.shape.length !== 2 || classes === undefined || inputs === undefined)
    throw badFile(file.path, weight.name, `has shape [${weight.shape}]; a classifier's is [classes, inputs]`)
  if (bias.shape.length !== 1 || bias.shape[0] !== classes)
    throw badFile(file.path, bias.name, `has shape [${bias.shape}]; with ${classes} classes it must be [${classes}]`)
  return { weight, bias, classes, inputs }
}

function readClassifier(file: SafetensorsFile, config: AdapterConfig): TrainedClassifier | null {
  const whole = classifierEntries(file, config)
  if (!whole) return null
  const { classes, inputs } = whole
  return { a: floatsOf(file, whole.weight), b: floatsOf(file, whole.bias), inputs, labels: labelsOf(file, classes) }
}

/** Names of the classes, which Secateur writes beside the weights; null where another program wrote them. */
function labelsOf({ path, metadata }: SafetensorsFile, classes: number): readonly string[] | null {
  const text = metadata[labelsKey]
  if (text === undefined) return null
  const labels = z.array(z.string()).safeParse(parseJsonOrNull(text)).data
  if (labels?.length === classes) return labels
  throw badFile(path, `__metadata__.${labelsKey}`, `is not a list of the names of ${classes} classes`)
}

/** The size of images that Secateur writes beside the weights; undefined where there is none. */
function imageSizeOf({ path, metadata }: SafetensorsFile): Size | undefined {
  const text = metadata[imageSizeKey]
  if (text === undefined) return undefined
  const size = z.tuple([z.int().min(1), z.int().min(1)]).safeParse(parseJsonOrNull(text)).data
  if (size) return size
  throw badFile(path, `__metadata__.${imageSizeKey}`, 'is not the height and width of images')
}

function floatsOf(file: SafetensorsFile, { name }: TensorEntry): Float32Array {
  const stored = file.read(name)
  checkFinite(file.path, stored)
  return toFloat32(stored)
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
  return { a: floatsOf(file, pair.a), b: floatsOf(file, pair.b), ...sizes }
}

/** @throws SecateurError where an adapter does not fit a model: a layer that is not there, or other widths. */
export function checkAdapter(adapter: ReadAdapter, config: ModelConfig): void {
  const path = join(adapter.folder, weightsName)
  const { classifier, imageSize } = adapter
  const taken = isOfImages(config) ? config.imageSize : undefined
  if (imageSize && taken && imageSize.join() !== taken.join())
    throw badFile(
      path,
      undefined,
      `was trained on images of ${pixelsText(imageSize)} pixels, and the model takes ${pixelsText(taken)}: give --image-size ${imageSize[0]}`,
    )
  if (classifier && config.patchValues === undefined)
    throw badFile(path, undefined, 'has a classifier of images, and the model is a language model')
  if (classifier && classifier.inputs !== config.hiddenSize)
    throw badFile(
      path,
      undefined,
      `has a classifier that reads ${classifier.inputs} values, and the model's hidden size is ${config.hiddenSize}. The adapter belongs to another model`,
    )
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

/** The config of a model with an adapter: the classes are those of a classifier that was trained with it. */
export function adaptedConfig(config: ModelConfig, { classifier }: PeftAdapter): ModelConfig {
  if (!classifier) return config
  const encoder = config as EncoderConfig
  const classes = classifier.b.length
  const own = encoder.labels.length === classes ? encoder.labels : unnamedLabels(classes)
  return withClasses(encoder, classifier.labels ?? own)
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

/** A classifier as `writeAdapter` takes it, with the names of its classes. */
export const trainedClassifier = (config: ModelConfig, values: PairValues): TrainedClassifier => ({
  ...values,
  inputs: config.hiddenSize,
  labels: (config as EncoderConfig).labels,
})

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
    const module = `${weightsPrefix}${familyOf(model).blocks}.${layer}.${path}`
    return [
      float32Tensor(`${module}.lora_A.weight`, [rank, inputs], a),
      float32Tensor(`${module}.lora_B.weight`, [outputs, rank], b),
    ]
  })
  const family = familyOf(model)
  const { classifier } = adapter
  const whole = classifier && family.task === 'image-classification' ? family.classifier : null
  if (classifier && whole !== null)
    tensors.push(
      float32Tensor(`${weightsPrefix}${whole}.weight`, [classifier.b.length, classifier.inputs], classifier.a),
      float32Tensor(`${weightsPrefix}${whole}.bias`, [classifier.b.length], classifier.b),
    )
  const modules = Object.entries(family.modules)
  const targets = adapter.targetModules.flatMap((name) =>
    modules.filter(([, names]) => names.includes(name)).map(([path]) => moduleName(path)),
  )
  await createFolderAtomically(folder, (temporary) => {
    const labels = classifier?.labels
    const metadata = isOfImages(model)
      ? {
          format: 'pt',
          [imageSizeKey]: JSON.stringify(model.imageSize),
          ...(labels && { [labelsKey]: JSON.stringify(labels) }),
        }
      : undefined
    writeSafetensors(join(temporary, weightsName), tensors, metadata)
    const config = { ...adapter, ...(whole !== null && { modulesToSave: [whole] }) }
    const isLanguageModel = family.task === 'causal-lm'
    writeJson(join(temporary, configName), adapterConfigJson(config, [...new Set(targets)], patterns, isLanguageModel))
    beside?.(temporary)
  })
}

const float32Tensor = (name: string, shape: number[], values: Float32Array): StoredTensor => ({
  name,
  dtype: 'float32',
  shape,
  bytes: fromFloat32(values, 'float32'),
})
