import { attention } from '../ops/attention.ts'
import { gelu } from '../ops/gelu.ts'
import { layerNorm } from '../ops/layer-norm.ts'
import { type Linear, linear, linears } from '../ops/linear.ts'
import { type Tensor, tf } from '../tensor/tf.ts'
import { type EncoderConfig, patchCount } from './encoder-config.ts'
import type { BlockExtras, Layer, Model, Pass } from './family.ts'

interface EncoderPass extends Pass {
  /** Zeros [1, 1, length, length]: every token may look at every other one. */
  bias: Tensor
}

type EncoderLinears = Record<'q' | 'k' | 'v' | 'o' | 'fc1' | 'fc2', Linear>

const norm = (x: Tensor, norms: Record<string, Tensor>, name: string, epsilon: number): Tensor =>
  layerNorm(x, norms[name]!, norms[`${name}Bias`]!, epsilon)

/**
 * The tokens of some images: a linear map of every patch, after the class token (and the distillation token), plus positions.
 *
 * @param patches [rows * patches, values of a patch], values in the order colour, row, column
 * @returns [rows * length, hidden]
 */
export function embedPatches(model: Model, patches: Tensor): Tensor {
  const { hiddenSize, prefixTokens } = model.config as EncoderConfig
  const count = patchCount(model.config as EncoderConfig)
  const rows = patches.shape[0]! / count
  const { norms } = model
  return tf.tidy(() => {
    const embedded = linear(patches, { weight: model.embedding, bias: norms['patchBias']! })
    const grid = tf.reshape(embedded, [rows, count, hiddenSize])
    const names = prefixTokens === 2 ? ['classToken', 'distillationToken'] : ['classToken']
    const prefix = names.map((name) => tf.tile(tf.reshape(norms[name]!, [1, 1, hiddenSize]), [rows, 1, 1]))
    const positions = tf.reshape(norms['positions']!, [1, prefixTokens + count, hiddenSize])
    return tf.reshape(tf.add(tf.concat([...prefix, grid], 1), positions), [-1, hiddenSize])
  })
}

/** One block: x + attention(norm(x)), then that plus feedForward(norm(that)). x is [rows * length, hidden]. */
export function encoderBlock(
  x: Tensor,
  layer: Layer,
  config: EncoderConfig,
  pass: Pass,
  extras: BlockExtras = {},
): Tensor {
  const { norms } = layer
  const heads = attentionBranch(
    norm(x, norms, 'attention', config.normEpsilon),
    layer,
    config,
    pass as EncoderPass,
    extras,
  )
  const { mask } = extras
  const attended = tf.add(x, unlessGone(heads, mask?.heads))
  const fed = feedForwardBranch(norm(attended, norms, 'feedForward', config.normEpsilon), layer, extras)
  return tf.add(attended, unlessGone(fed, mask?.channels))
}

/** What a branch adds: nothing where all of its groups are masked, though the linear layer that reads them has a bias. */
const unlessGone = (branch: Tensor, mask: Tensor | undefined): Tensor => (mask ? tf.mul(branch, tf.max(mask)) : branch)

function attentionBranch(
  x: Tensor,
  { shape: { heads }, linears: own }: Layer,
  { headSize }: EncoderConfig,
  { rows, length, bias }: EncoderPass,
  { lowRank, mask, observe }: BlockExtras,
): Tensor {
  const { q: toQueries, k: toKeys, v: toValues, o } = own as EncoderLinears
  observe?.('q', x)
  const [queries, keys, values] = linears(x, [
    { linear: toQueries, lowRank: lowRank?.['q'] },
    { linear: toKeys, lowRank: lowRank?.['k'] },
    { linear: toValues, lowRank: lowRank?.['v'] },
  ]) as [Tensor, Tensor, Tensor]
  const split = (y: Tensor) => tf.reshape(y, [rows, length, heads, headSize])
  const shape = { rows, queries: length, keys: length, heads, keyValueHeads: heads, headSize, causal: false }
  let context = attention(tf.mul(split(queries), 1 / Math.sqrt(headSize)), split(keys), split(values), bias, shape)
  if (mask) context = tf.mul(context, mask.heads)
  observe?.('o', context)
  return linear(context, o, lowRank?.['o'])
}

function feedForwardBranch(x: Tensor, { linears: own }: Layer, { lowRank, mask, observe }: BlockExtras): Tensor {
  const { fc1, fc2 } = own as EncoderLinears
  observe?.('fc1', x)
  let inner = gelu(linear(x, fc1, lowRank?.['fc1']))
  if (mask) inner = tf.mul(inner, mask.channels)
  observe?.('fc2', inner)
  return linear(inner, fc2, lowRank?.['fc2'])
}

export function encoderPass(_: EncoderConfig, rows: number, length: number): Pass {
  const pass = { rows, length, bias: tf.zeros([1, 1, length, length]) }
  return { ...pass, [Symbol.dispose]: () => pass.bias.dispose() }
}

/**
 * What the classifier reads: the class token after the last norm.
 *
 * @param x the last block's output [rows * length, hidden]
 * @returns [rows, hidden]
 */
export function classToken(model: Model, x: Tensor, { rows, length }: Pass): Tensor {
  const { hiddenSize, normEpsilon } = model.config
  const first = tf.slice(tf.reshape(x, [rows, length, hiddenSize]), [0, 0, 0], [rows, 1, hiddenSize])
  return norm(tf.reshape(first, [rows, hiddenSize]), model.norms, 'final', normEpsilon)
}
