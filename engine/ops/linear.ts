import type { Projections } from '../backends/fused-kernels.ts'
import type { FrozenWeight, Weight } from '../tensor/frozen-weight.ts'
import { type Tensor, tf } from '../tensor/tf.ts'
import { differentiable, isFused, runFused } from './fused.ts'

export interface Linear {
  weight: Weight
  /** [out] */
  bias: Tensor | null
}

/** A LoRA pair: adds scale * (x A^T) B^T to a linear layer's output (Hu et al., arXiv 2106.09685). */
export interface LowRank {
  /** [rank, in] */
  a: Tensor
  /** [out, rank] */
  b: Tensor
  scale: number
  /** Dropout of the adapter's input: 0 or 1 / (1 - p) an element, shaped as the input. */
  keep?: Tensor | undefined
}

/** A linear layer, and what an adapter adds to it. */
export interface AdaptedLinear {
  linear: Linear
  lowRank?: LowRank | undefined
}

const isTensor = (weight: Weight): weight is Tensor => 'dataId' in weight

/** x W^T, or x W where transposed; no gradient passes. */
export const frozenProduct = (x: Tensor, weight: FrozenWeight, transposed: boolean): Tensor =>
  runFused('FrozenLinear', { x }, { weight, transposed })[0]!

/** x W^T for a frozen W [out, in]. The gradient is with respect to x alone: no gradient of W is ever formed. */
function frozenLinear(x: Tensor, weight: FrozenWeight): Tensor {
  const [y] = differentiable(
    { x },
    () => [frozenProduct(x, weight, false)],
    ([dy]) => ({ x: () => frozenProduct(dy!, weight, true) }),
  )
  return y!
}

/** x [n, in] times W^T, plus the bias and the adapter's share: [n, out]. */
export const linear = (x: Tensor, layer: Linear, lowRank?: LowRank): Tensor =>
  linears(x, [{ linear: layer, lowRank }])[0]!

/** Several linear layers of one input [n, in], whose work a back end may share: an output [n, out] each. */
export function linears(x: Tensor, layers: readonly AdaptedLinear[]): Tensor[] {
  const results = isFused('LoraLinear') ? fusedLinears(x, layers) : null
  return layers.map(({ linear: { bias, weight }, lowRank }, index) => {
    const y = results?.[index] ?? plainLinear(x, weight, lowRank)
    return bias ? tf.add(y, bias) : y
  })
}

function plainLinear(x: Tensor, weight: Weight, lowRank: LowRank | undefined): Tensor {
  const y = isTensor(weight) ? tf.matMul(x, weight, false, true) : frozenLinear(x, weight)
  if (!lowRank) return y
  const input = lowRank.keep ? tf.mul(x, lowRank.keep) : x
  const narrow = tf.mul(tf.matMul(input, lowRank.a, false, true), lowRank.scale)
  return tf.add(y, tf.matMul(narrow, lowRank.b, false, true))
}

/** The outputs that LoraLinear computes, by the layer's index; undefined for layers without an adapter on a frozen weight. */
function fusedLinears(x: Tensor, layers: readonly AdaptedLinear[]): (Tensor | undefined)[] {
  const places: number[] = []
  const attributes: Projections = { weights: [], scales: [] }
  const trained: Record<string, Tensor> = {}
  const keeps: Record<string, Tensor> = {}
  for (const [
    place,
    {
      linear: { weight },
      lowRank,
    },
  ] of layers.entries()) {
    if (isTensor(weight) || !lowRank) continue
    const i = places.push(place) - 1
    attributes.weights.push(weight)
    attributes.scales.push(lowRank.scale)
    trained[`a${i}`] = lowRank.a
    trained[`b${i}`] = lowRank.b
    if (lowRank.keep) keeps[`keep${i}`] = lowRank.keep
  }
  if (places.length === 0) return []
  const matrices = Object.keys(trained)
  const ys = differentiable(
    { x, ...trained },
    (save) => {
      save([x, ...Object.values(trained), ...Object.values(keeps)])
      return runFused('LoraLinear', { x, ...trained, ...keeps }, attributes)
    },
    (dys, [input, ...saved]) => {
      const inputs: Record<string, Tensor> = {}
      for (const [i, dy] of dys.entries()) inputs[`dy${i}`] = dy
      for (const [i, name] of [...matrices, ...Object.keys(keeps)].entries()) inputs[name] = saved[i]!
      const gradients = runFused('LoraLinearGrad', { ...inputs, x: input! }, attributes)
      const narrow = gradients[matrices.length]
      return {
        x: () => runFused('LoraLinearInputGrad', narrow ? { ...inputs, narrow } : inputs, attributes)[0]!,
        ...Object.fromEntries(matrices.map((name, i) => [name, () => gradients[i]!])),
      }
    },
  )
  const results: (Tensor | undefined)[] = layers.map(() => undefined)
  for (const [i, place] of places.entries()) results[place] = ys[i]!
  return results
}

/** Rows of an embedding table [vocabulary, hidden] for int32 ids [n]: [n, hidden]. */
export function embed(ids: Tensor, table: Weight): Tensor {
  if (isTensor(table)) return tf.gather(table, ids as never)
  return runFused('FrozenRows', { indices: ids }, { weight: table })[0]!
}
