import { elementsOf } from '../checkpoint/safetensors-header.ts'
import type { LinearName, LinearSpec, TensorSpec } from './family.ts'
import type { ModelConfig } from './model-config.ts'
import { familyOf } from './registry.ts'

/** Every tensor that a checkpoint of this architecture holds, with its shape, in the order in which a model reads them. */
export const expectedTensors = (config: ModelConfig): Map<string, number[]> =>
  new Map(tensorsOf(config).map(({ name, shape }) => [name, shape]))

/** The same with what each tensor is to the model. */
export const tensorsOf = (config: ModelConfig): TensorSpec[] => familyOf(config).tensors(config)

/** Number of parameters of an architecture; tied embeddings count once. */
export const countParameters = (config: ModelConfig): number =>
  tensorsOf(config).reduce((sum, { shape }) => sum + elementsOf(shape), 0)

/** A layer's linear layers, in the order in which data passes them. */
export function linearsOf(config: ModelConfig, layer: number): LinearSpec[] {
  const shape = config.layers[layer]
  if (!shape) throw new RangeError(`the model has ${config.layers.length} layers; layer ${layer} was asked for`)
  return familyOf(config).linears(config, shape)
}

/** Names of the linear layers of every block. */
export const linearNames = (config: ModelConfig): LinearName[] => linearsOf(config, 0).map(({ name }) => name)

/** One of a layer's linear layers. */
export function linearOf(config: ModelConfig, layer: number, name: LinearName): LinearSpec {
  const linear = linearsOf(config, layer).find((each) => each.name === name)
  if (!linear) throw new RangeError(`blocks of ${config.family} have no linear layer "${name}"`)
  return linear
}

/** Weights of the linear layers of each layer, biases left out. */
export const layerWeights = (config: ModelConfig): number[] =>
  config.layers.map((_, layer) =>
    linearsOf(config, layer).reduce((sum, { outputs, inputs }) => sum + outputs * inputs, 0),
  )

/** Where the weight of a linear layer lies: a tensor [rows, inputs] of the checkpoint, or some of its rows. */
export interface WeightPlace {
  layer: number
  linear: LinearName
  /** Name of the tensor. */
  tensor: string
  first: number
  rows: number
  inputs: number
}

/** Where every linear layer's weight lies in a checkpoint, layer by layer. */
export function weightPlaces(config: ModelConfig): WeightPlace[] {
  return tensorsOf(config).flatMap(({ name: tensor, role }) => {
    if (role.part !== 'weight') return []
    const specs = linearsOf(config, role.layer)
    let first = 0
    return role.linears.map((linear): WeightPlace => {
      const { outputs, inputs } = specs.find(({ name }) => name === linear)!
      const place = { layer: role.layer, linear, tensor, first, rows: outputs, inputs }
      first += outputs
      return place
    })
  })
}
