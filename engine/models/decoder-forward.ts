import { attention } from '../ops/attention.ts'
import { gatedActivation } from '../ops/gated-activation.ts'
import { embed, type Linear, linear, linears } from '../ops/linear.ts'
import { rmsNorm } from '../ops/rms-norm.ts'
import { rotary, rotaryFrequencies, type RotaryTable, rotaryTable } from '../ops/rotary.ts'
import { type Tensor, tf } from '../tensor/tf.ts'
import { attendedInputs } from './attended-inputs.ts'
import type { DecoderConfig } from './decoder-config.ts'
import type { BlockExtras, Layer, Model, Pass, PassOptions, StepPass } from './family.ts'
import type { LayerAttention, LayerShape } from './model-config.ts'

const forbidden = -1e9

/** Tables of a pass's positions: queries' have the scale of attention in them. */
interface Positions {
  query: RotaryTable
  key: RotaryTable
}

interface DecoderPass extends Pass {
  /** Of layers without and with a window; null where the model has no such layers. */
  positions: Record<'full' | 'sliding', Positions | null>
  /** Added to attention scores: [rows or 1, 1, length, keys]. */
  bias: Record<'full' | 'sliding', Tensor | null>
}

type DecoderLinears = Record<'q' | 'k' | 'v' | 'o' | 'gate' | 'up' | 'down', Linear>

/** Whether a layer has a window and rotates: as all layers of the model do, unless the layer says otherwise. */
const attentionOf = (config: DecoderConfig, { attention: own }: LayerShape): LayerAttention =>
  own ?? { sliding: config.slidingWindow !== null, rotary: true }

/** One decoder block: x + attention(norm(x)), then that plus feedForward(norm(that)). x is [rows * length, hidden]. */
export function decoderBlock(
  x: Tensor,
  layer: Layer,
  config: DecoderConfig,
  pass: Pass,
  extras: BlockExtras = {},
): Tensor {
  const norm = (y: Tensor, name: string) => rmsNorm(y, layer.norms[name]!, config.normEpsilon)
  const branch = (y: Tensor, name: string) => (config.branchNorms ? norm(y, name) : y)
  // What attention computed with is freed before the feed-forward layer takes its place, unless gradients need it.
  const heads = tf.tidy(() => attentionBranch(norm(x, 'attention'), layer, config, pass as DecoderPass, extras))
  const attended = tf.add(x, branch(heads, 'afterAttention'))
  const channels = tf.tidy(() => feedForwardBranch(norm(attended, 'feedForward'), layer, config, extras))
  return tf.add(attended, branch(channels, 'afterFeedForward'))
}

function attentionBranch(
  x: Tensor,
  { shape, linears: own, norms }: Layer,
  config: DecoderConfig,
  { rows, length, positions, bias }: DecoderPass,
  { lowRank, mask, remember, observe, observeValues }: BlockExtras,
): Tensor {
  const { headSize, normEpsilon } = config
  const { q: toQueries, k: toKeys, v: toValues, o } = own as DecoderLinears
  const { sliding, rotary: rotates } = attentionOf(config, shape)
  const which = sliding ? 'sliding' : 'full'
  observe?.('q', x)
  const split = (y: Tensor, heads: number, norm: Tensor | undefined) =>
    tf.reshape(norm ? rmsNorm(tf.reshape(y, [-1, headSize]), norm, normEpsilon) : y, [rows, length, heads, headSize])
  const [queries, ownKeys, ownValues] = linears(x, [
    { linear: toQueries, lowRank: lowRank?.['q'] },
    { linear: toKeys, lowRank: lowRank?.['k'] },
    { linear: toValues, lowRank: lowRank?.['v'] },
  ]) as [Tensor, Tensor, Tensor]
  const splitQueries = split(queries, shape.heads, norms['query'])
  const splitKeys = split(ownKeys, shape.keyValueHeads, norms['key'])
  const table = positions[which]!
  const q = rotates ? rotary(splitQueries, table.query) : tf.mul(splitQueries, config.attentionScale)
  let k = rotates ? rotary(splitKeys, table.key) : splitKeys
  let v = split(ownValues, shape.keyValueHeads, undefined)
  if (remember) ({ keys: k, values: v } = remember(k, v))
  let keyValueHeads = shape.keyValueHeads
  if (shape.keyValueHeadOf) {
    const readers = tf.tensor1d(shape.keyValueHeadOf, 'int32')
    k = tf.gather(k, readers, 2)
    v = tf.gather(v, readers, 2)
    keyValueHeads = shape.heads
  }
  const keys = k.shape[1]!
  const attend = (values: Tensor) =>
    attention(q, k, values, bias[which]!, {
      rows,
      queries: length,
      keys,
      heads: shape.heads,
      keyValueHeads,
      headSize,
      causal: !remember,
    })
  if (observeValues)
    observeValues(attendedInputs(x, attend, { rows, length, heads: shape.heads, keyValueHeads, headSize }))
  let context = attend(v)
  // Masking a head's q, k and v outputs leaves exactly this: its context is zero, and so are the gradients behind it.
  if (mask) context = tf.mul(context, mask.heads)
  observe?.('o', context)
  return linear(context, o, lowRank?.['o'])
}

function feedForwardBranch(
  x: Tensor,
  { linears: own }: Layer,
  { activation }: DecoderConfig,
  { lowRank, mask, observe }: BlockExtras,
): Tensor {
  const { gate: toGate, up: toUp, down } = own as DecoderLinears
  observe?.('gate', x)
  const [gate, up] = linears(x, [
    { linear: toGate, lowRank: lowRank?.['gate'] },
    { linear: toUp, lowRank: lowRank?.['up'] },
  ]) as [Tensor, Tensor]
  let inner = gatedActivation(gate, up, activation)
  if (mask) inner = tf.mul(inner, mask.channels)
  observe?.('down', inner)
  return linear(inner, down, lowRank?.['down'])
}

/** Rows of the embedding for int32 ids [n]: [n, hidden]. */
export function embedTokens({ embedding, config }: Model, ids: Tensor): Tensor {
  const { embeddingScale } = config as DecoderConfig
  return embeddingScale === 1 ? embed(ids, embedding) : tf.tidy(() => tf.mul(embed(ids, embedding), embeddingScale))
}

/** Rotary tables and attention biases of a pass over `rows` x `length` tokens. */
export function decoderPass(config: DecoderConfig, rows: number, length: number, options: PassOptions = {}): Pass {
  const positions = options.positions ?? Array.from({ length }, (_, i) => i)
  const tableRows = options.positions ? rows : 1
  const biasRows = options.visible ? rows : 1
  const biasOf = (window: number | null): Tensor => {
    const bias = new Float32Array(biasRows * length * length).fill(forbidden)
    for (let row = 0; row < biasRows; row++) {
      for (let query = 0; query < length; query++) {
        const at = (row * length + query) * length
        const place = positions[(tableRows === 1 ? 0 : row * length) + query]!
        for (let key = 0; key <= query; key++) {
          const distance = place - positions[(tableRows === 1 ? 0 : row * length) + key]!
          const near = window === null || distance < window
          if (near && (options.visible?.(row, query, key) ?? true)) bias[at + key] = 0
        }
        // A padded position that may look at nothing looks at itself, so that its soft-max is defined.
        bias[at + query] = 0
      }
    }
    return tf.tensor4d(bias, [biasRows, 1, length, length])
  }
  return passOf(config, rows, length, positions, tableRows, biasOf)
}

/** The pass of one token a row at `place` of a cache of `capacity`, whose rows begin at `starts`. */
export function decoderStep(
  config: DecoderConfig,
  place: number,
  capacity: number,
  starts: readonly number[],
): StepPass {
  const rows = starts.length
  const biasOf = (window: number | null): Tensor => {
    const bias = new Float32Array(rows * capacity).fill(forbidden)
    for (const [row, start] of starts.entries()) {
      const first = window === null ? start : Math.max(start, place - window + 1)
      bias.fill(0, row * capacity + first, row * capacity + place + 1)
    }
    return tf.tensor4d(bias, [rows, 1, 1, capacity])
  }
  const positions = starts.map((start) => place - start)
  const pass = passOf(config, rows, 1, positions, rows, biasOf)
  const tensors = [tf.tensor1d([place], 'int32'), ...tensorsOf(pass)]
  return { ...pass, place: tensors[0]!, tensors, [Symbol.dispose]: () => tf.dispose(tensors) }
}

function passOf(
  config: DecoderConfig,
  rows: number,
  length: number,
  positions: ArrayLike<number>,
  tableRows: number,
  biasOf: (window: number | null) => Tensor,
): DecoderPass {
  const layers = config.layers.map((shape) => attentionOf(config, shape))
  const has = (sliding: boolean) => layers.some((layer) => layer.sliding === sliding)
  const tables = (sliding: boolean): Positions | null => {
    if (!layers.some((layer) => layer.sliding === sliding && layer.rotary)) return null
    const own = sliding ? config.slidingRopeTheta : null
    const frequencies = rotaryFrequencies(config.headSize, own ?? config.ropeTheta, own ? null : config.ropeScaling)
    return {
      query: rotaryTable(frequencies, positions, tableRows, config.attentionScale),
      key: rotaryTable(frequencies, positions, tableRows),
    }
  }
  const pass = {
    rows,
    length,
    positions: { full: tables(false), sliding: tables(true) },
    bias: {
      full: has(false) ? biasOf(null) : null,
      sliding: has(true) ? biasOf(config.slidingWindow) : null,
    },
  }
  return { ...pass, [Symbol.dispose]: () => tf.dispose(tensorsOf(pass)) }
}

function tensorsOf({ positions, bias }: Pick<DecoderPass, 'positions' | 'bias'>): Tensor[] {
  const tables = Object.values(positions).flatMap((two) => (two ? [two.query, two.key] : []))
  return [
    ...tables.flatMap(({ cosine, sine }) => [cosine, sine]),
    ...Object.values(bias).filter((each) => each !== null),
  ]
}
