import { fromFloat32, toFloat32 } from '../checkpoint/dtype.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { expectedTensors, weightPlaces, type WeightPlace } from '../models/tensors.ts'
import { frozenWeight, quantise, toFloat32 as widened } from '../tensor/frozen-weight.ts'
import type { StoredTensor } from '../tensor/stored-tensor.ts'
import type { AdapterValues, PairValues } from './adapter.ts'
import { classifierTensors } from './classifier.ts'

/** Reads a tensor of a checkpoint by its name. */
export type ReadTensor = (name: string) => StoredTensor

/**
 * A checkpoint's tensors with an adapter merged into them: weights that have a pair become W + scale * B A in float32, a
 * classifier that was trained takes the place of the checkpoint's, and all others are read as they are (Hu et al., arXiv
 * 2106.09685, section 4.1).
 */
export function mergedReader(config: ModelConfig, read: ReadTensor, adapter: AdapterValues): ReadTensor {
  const places = Map.groupBy(weightPlaces(config), ({ tensor }) => tensor)
  const trained = classifierTensors(config, adapter.classifier)
  return (name) => {
    const whole = trained.get(name)
    if (whole) return whole
    const stored = read(name)
    const adapted = (places.get(name) ?? []).flatMap((place) => {
      const pair = adapter.layers[place.layer]?.[place.linear]
      return pair ? [{ place, pair }] : []
    })
    if (adapted.length === 0) return stored
    // Other types are copied when they are widened.
    const values = stored.dtype === 'float32' ? toFloat32(stored).slice() : toFloat32(stored)
    for (const { place, pair } of adapted) addProduct(values, place, pair, adapter.scale)
    return { ...stored, dtype: 'float32', bytes: fromFloat32(values, 'float32') }
  }
}

/**
 * A checkpoint's tensors as a model has them that holds its linear layers in 8 bits: those weights rounded (see `quantise`),
 * in float32, and all others as they are.
 */
export function readerOf8Bits(config: ModelConfig, read: ReadTensor): ReadTensor {
  const held = new Set(weightPlaces(config).map(({ tensor }) => tensor))
  return (name) => {
    const stored = read(name)
    if (!held.has(name)) return stored
    // Every row has a scale of its own, so that it is the same whether one linear layer or several are stored together.
    return { ...stored, dtype: 'float32', bytes: fromFloat32(widened(quantise(frozenWeight(stored))), 'float32') }
  }
}

/** Every tensor of a checkpoint, read one at a time. */
export function* readAll(config: ModelConfig, read: ReadTensor): Generator<StoredTensor> {
  for (const name of expectedTensors(config).keys()) yield read(name)
}

/** Adds scale * B A to the rows of a weight that are a linear layer's, in place; each sum is rounded to float32. */
function addProduct(values: Float32Array, { first, rows, inputs }: WeightPlace, { a, b }: PairValues, scale: number) {
  const rank = a.length / inputs
  for (let row = 0; row < rows; row++) {
    const line = values.subarray((first + row) * inputs, (first + row + 1) * inputs)
    for (let r = 0; r < rank; r++) {
      const factor = scale * b[row * rank + r]!
      if (factor === 0) continue
      const right = a.subarray(r * inputs, (r + 1) * inputs)
      for (let j = 0; j < inputs; j++) line[j] = line[j]! + factor * right[j]!
    }
  }
}
