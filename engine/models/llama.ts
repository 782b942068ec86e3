import type { LayerShape, ModelConfig } from './model-config.ts'
import type { Projection } from './projections.ts'
import { attention } from '../ops/attention.ts'
import { gatedActivation } from '../ops/gated-activation.ts'
import { type Linear, linear, linears, type LowRank } from '../ops/linear.ts'
import { rmsNorm } from '../ops/rms-norm.ts'
import { rotary, rotaryFrequencies, type RotaryTable, rotaryTable } from '../ops/rotary.ts'
import type { Weight } from '../tensor/frozen-weight.ts'
import { type Tensor, tf } from '../tensor/tf.ts'

export interface LlamaLayer {
  shape: LayerShape
  projections: Record<Projection, Linear>
  /** [hidden] */
  inputNorm: Tensor
  /** [hidden] */
  feedForwardNorm: Tensor
  /** [headSize], Qwen 3 only. */
  queryNorm: Tensor | null
  keyNorm: Tensor | null
}

/** A Llama-family decoder: Llama 1 to 3, Mistral, Qwen 2, 2.5 and 3, and what is left of them after pruning. */
export interface LlamaModel {
  config: ModelConfig
  /** [vocabulary, hidden] */
  embedding: Weight
  layers: LlamaLayer[]
  /** [hidden] */
  norm: Tensor
  /** [vocabulary, hidden]; the embedding itself where they are tied. */
  head: Linear
}

/** 1 for what stays and 0 for what is masked, by output feature. */
export interface LayerMask {
  /** [heads * headSize], one value repeated a query head. */
  heads: Tensor
  /** [channels] */
  channels: Tensor
}

/** Keys and values of the positions before, for generation: [rows, capacity, keyValueHeads, headSize]. */
export interface LayerCache {
  keys: Tensor
  values: Tensor
}

/** What is the same for every block of one forward pass. */
export interface PassContext {
  rows: number
  length: number
  queryRotary: RotaryTable
  keyRotary: RotaryTable
  /** Added to attention scores: [rows or 1, 1, length, keys]. */
  bias: Tensor
}

/** What one block adds to its base weights. */
export interface BlockExtras {
  lowRank?: Partial<Record<Projection, LowRank>> | undefined
  mask?: LayerMask | undefined
  /** Takes this pass's keys and values [rows, length, keyValueHeads, headSize] and returns all that are to be looked at. */
  remember?: ((keys: Tensor, values: Tensor) => LayerCache) | undefined
  /** Sees what goes into the projections: of q (k and v have the same input), o, gate (and up) and down. */
  observe?: ((projection: Projection, input: Tensor) => void) | undefined
}

const forbidden = -1e9

/** Rotary tables and the attention bias of a pass over `rows` x `length` tokens. Dispose of it with `disposePass`. */
export function makePass(
  config: ModelConfig,
  rows: number,
  length: number,
  options: {
    /** Position of each token where rows do not simply count from 0. */
    positions?: ArrayLike<number> | undefined
    /** Whether the token at `query` of a row may look at the one at `key` <= query; causality is seen to here. */
    visible?: ((row: number, query: number, key: number) => boolean) | undefined
  } = {},
): PassContext {
  const positions = options.positions ?? Array.from({ length }, (_, i) => i)
  const tableRows = options.positions ? rows : 1
  const frequencies = rotaryFrequencies(config.headSize, config.ropeTheta, config.ropeScaling)
  const biasRows = options.visible ? rows : 1
  const bias = new Float32Array(biasRows * length * length).fill(forbidden)
  for (let row = 0; row < biasRows; row++) {
    for (let query = 0; query < length; query++) {
      const at = (row * length + query) * length
      const place = positions[(tableRows === 1 ? 0 : row * length) + query]!
      for (let key = 0; key <= query; key++) {
        const distance = place - positions[(tableRows === 1 ? 0 : row * length) + key]!
        const near = config.slidingWindow === null || distance < config.slidingWindow
        if (near && (options.visible?.(row, query, key) ?? true)) bias[at + key] = 0
      }
      // A padded position that may look at nothing looks at itself, so that its soft-max is defined.
      bias[at + query] = 0
    }
  }
  return {
    rows,
    length,
    queryRotary: rotaryTable(frequencies, positions, tableRows, 1 / Math.sqrt(config.headSize)),
    keyRotary: rotaryTable(frequencies, positions, tableRows),
    bias: tf.tensor4d(bias, [biasRows, 1, length, length]),
  }
}

export function disposePass(pass: PassContext): void {
  tf.dispose([pass.queryRotary.cosine, pass.queryRotary.sine, pass.keyRotary.cosine, pass.keyRotary.sine, pass.bias])
}

/** One decoder block: x + attention(norm(x)), then that plus feedForward(norm(that)). x is [rows * length, hidden]. */
export function block(
  x: Tensor,
  layer: LlamaLayer,
  config: ModelConfig,
  pass: PassContext,
  extras: BlockExtras = {},
): Tensor {
  const attended = tf.add(
    x,
    attentionBranch(rmsNorm(x, layer.inputNorm, config.normEpsilon), layer, config, pass, extras),
  )
  return tf.add(
    attended,
    feedForwardBranch(rmsNorm(attended, layer.feedForwardNorm, config.normEpsilon), layer, extras),
  )
}

function attentionBranch(
  x: Tensor,
  { shape, projections, queryNorm, keyNorm }: LlamaLayer,
  { headSize, normEpsilon }: ModelConfig,
  { rows, length, queryRotary, keyRotary, bias }: PassContext,
  { lowRank, mask, remember, observe }: BlockExtras,
): Tensor {
  observe?.('q', x)
  const split = (y: Tensor, heads: number, norm: Tensor | null) =>
    tf.reshape(norm ? rmsNorm(tf.reshape(y, [-1, headSize]), norm, normEpsilon) : y, [rows, length, heads, headSize])
  const [queries, ownKeys, ownValues] = linears(x, [
    { linear: projections.q, lowRank: lowRank?.q },
    { linear: projections.k, lowRank: lowRank?.k },
    { linear: projections.v, lowRank: lowRank?.v },
  ]) as [Tensor, Tensor, Tensor]
  const q = rotary(split(queries, shape.heads, queryNorm), queryRotary)
  let k = rotary(split(ownKeys, shape.keyValueHeads, keyNorm), keyRotary)
  let v = split(ownValues, shape.keyValueHeads, null)
  if (remember) ({ keys: k, values: v } = remember(k, v))
  let keyValueHeads = shape.keyValueHeads
  if (shape.keyValueHeadOf) {
    const readers = tf.tensor1d(shape.keyValueHeadOf, 'int32')
    k = tf.gather(k, readers, 2)
    v = tf.gather(v, readers, 2)
    keyValueHeads = shape.heads
  }
  const keys = k.shape[1]!
  let context = attention(q, k, v, bias, {
    rows,
    queries: length,
    keys,
    heads: shape.heads,
    keyValueHeads,
    headSize,
    causal: !remember,
  })
  // Masking a head's q, k and v outputs leaves exactly this: its context is zero, and so are the gradients behind it.
  if (mask) context = tf.mul(context, mask.heads)
  observe?.('o', context)
  return linear(context, projections.o, lowRank?.o)
}

function feedForwardBranch(x: Tensor, { projections }: LlamaLayer, { lowRank, mask, observe }: BlockExtras): Tensor {
  observe?.('gate', x)
  const [gate, up] = linears(x, [
    { linear: projections.gate, lowRank: lowRank?.gate },
    { linear: projections.up, lowRank: lowRank?.up },
  ]) as [Tensor, Tensor]
  let inner = gatedActivation(gate, up, 'silu')
  if (mask) inner = tf.mul(inner, mask.channels)
  observe?.('down', inner)
  return linear(inner, projections.down, lowRank?.down)
}

/** Logits [n, vocabulary] of the last block's output [n, hidden]. */
export const logits = (x: Tensor, model: LlamaModel): Tensor =>
  linear(rmsNorm(x, model.norm, model.config.normEpsilon), model.head)
