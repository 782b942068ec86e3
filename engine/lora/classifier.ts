import { fromFloat32, toFloat32 } from '../checkpoint/dtype.ts'
import { type EncoderConfig, encoderConfig, isOfImages } from '../models/encoder-config.ts'
import type { Model } from '../models/family.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { countParameters, tensorsOf } from '../models/tensors.ts'
import type { StoredTensor } from '../tensor/stored-tensor.ts'
import type { PairValues } from './adapter.ts'

/** The config of the same encoder with other classes. */
export const withClasses = (config: EncoderConfig, labels: readonly string[]): EncoderConfig =>
  encoderConfig({ ...config, labels })

/**
 * Parameters of a checkpoint beside those of what was made of it. Where a classifier of other classes took the place of its
 * own, that one is counted of both: what the classes come to has neither been removed nor added.
 */
export function parametersBeside(
  { config, parameters }: { config: ModelConfig; parameters: number },
  made: ModelConfig,
): number {
  if (!isOfImages(config) || !isOfImages(made) || config.labels.length === made.labels.length) return parameters
  return countParameters(withClasses(config, made.labels))
}

/** The model without a classifier of its own, for classes that it has not: what is trained takes its place. */
export const awaitingClassifier = (model: Model, labels: readonly string[]): Model => ({
  ...model,
  config: withClasses(model.config as EncoderConfig, labels),
  head: null,
})

/** A classifier that knows nothing yet. */
export const newClassifier = (classes: number, hiddenSize: number): PairValues => ({
  a: new Float32Array(classes * hiddenSize),
  b: new Float32Array(classes),
})

/** The tensors of a checkpoint's classifier; null where it has none. */
export function classifierSpecs(config: ModelConfig) {
  const specs = tensorsOf(config)
  const weight = specs.find(({ role }) => role.part === 'head')
  const bias = specs.find(({ role }) => role.part === 'norm' && role.norm === 'headBias')
  return weight && bias ? { weight, bias } : null
}

/** The classifier of a checkpoint. @throws TypeError where it has none */
export function storedClassifier(config: ModelConfig, read: (name: string) => StoredTensor): PairValues {
  const specs = classifierSpecs(config)
  if (!specs) throw new TypeError('the checkpoint has no classifier')
  return { a: toFloat32(read(specs.weight.name)).slice(), b: toFloat32(read(specs.bias.name)).slice() }
}

/** A trained classifier as the tensors of a checkpoint, by their names. */
export function classifierTensors(config: ModelConfig, values: PairValues | null): Map<string, StoredTensor> {
  const specs = values && classifierSpecs(config)
  if (!specs) return new Map()
  return new Map(
    [
      { ...specs.weight, data: values.a },
      { ...specs.bias, data: values.b },
    ].map(({ name, shape, data }) => [name, { name, shape, dtype: 'float32', bytes: fromFloat32(data, 'float32') }]),
  )
}
