import { join } from 'node:path'
import type { LinearName } from '../models/family.ts'
import { type EncoderConfig, isOfImages, pixelsText, type Size, unnamedLabels } from '../models/encoder-config.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { linearsOf } from '../models/tensors.ts'
import { badFile } from '../shared/errors.ts'
import type { AdapterValues, PairValues } from './adapter.ts'
import { withClasses } from './classifier.ts'
import { type LowRankMatrices, matrixKey, splitPair } from './fused-modules.ts'
import type { AdapterConfig } from './peft-config.ts'

export const configName = 'adapter_config.json'
export const weightsName = 'adapter_model.safetensors'
export const weightsPrefix = 'base_model.model.'
/** Where the names of a classifier's classes stand in the file of the weights. */
export const labelsKey = 'secateur_labels'
/** And where the height and width of the images stand that it was trained on. */
export const imageSizeKey = 'secateur_image_size'

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
  if (classifier && !isOfImages(config))
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

/** Layer and linear layers of a key of `PeftAdapter.matrices`. */
export function partsOf(key: string): [number, LinearName[]] {
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
