import { flushBackend } from '../backends/flush.ts'
import { logitsAtOnce } from '../backends/logits-at-once.ts'
import type { ModelConfig } from '../models/model-config.ts'
import type { Projection } from '../models/projections.ts'
import type { TrainingBatch } from '../data/batches.ts'
import { type Adapter, type LayerMatrices, lowRankOf, type MatrixPair, pairsOf } from '../lora/adapter.ts'
import { block, disposePass, type LayerMask, type LlamaModel, makePass, type PassContext } from '../models/llama.ts'
import { type Head, headLossAndGradient, lossOfHead } from '../ops/head-loss.ts'
import { embed } from '../ops/linear.ts'
import { type Tensor, tf } from '../tensor/tf.ts'
import { type DropoutSource } from './dropout.ts'

export interface LossAndGradients {
  /** Scalar: this batch's share of the mean loss. */
  loss: Tensor
  /** Gradient of the loss with respect to each adapter matrix, layer by layer. */
  gradients: LayerMatrices[]
}

export interface PassOptions {
  /** Keep every block's activations for the backward pass instead of computing the block again (see `keepsActivations`). */
  keep?: boolean | undefined
  masks?: LayerMask[] | undefined
  dropout?: DropoutSource | undefined
}

/** Rotary tables and attention bias of a training batch. */
export function passOf(model: LlamaModel, batch: TrainingBatch): PassContext {
  const { rows, length, segments, positions } = batch
  return makePass(model.config, rows, length, {
    positions: positions ?? undefined,
    visible: segments
      ? (row, query, key) => segments[row * length + query] === segments[row * length + key]
      : undefined,
  })
}

/**
 * Loss of a batch and its gradient with respect to the adapter, block by block: the forward pass keeps each block's input
 * alone, and the backward pass computes one block again at a time. No gradient of a base weight is formed.
 *
 * @param divisor scalar: the number of targets that the step's mean loss is over
 */
export function lossAndGradients(
  model: LlamaModel,
  adapter: Adapter,
  batch: TrainingBatch,
  divisor: Tensor,
  options: PassOptions = {},
): LossAndGradients {
  const pass = passOf(model, batch)
  if (options.keep) {
    const result = keepingActivations(model, adapter, batch, pass, divisor, options)
    disposePass(pass)
    return result
  }
  const inputs = forwardKeepingInputs(model, adapter, batch, pass, options)
  const { loss, gradient } = headLoss(inputs.pop()!, model, batch.labels, divisor)
  const gradients = backward(model, adapter, pass, inputs, gradient, options)
  disposePass(pass)
  return { loss, gradients }
}

const headOf = ({ norm, head, config }: LlamaModel): Head => {
  if ('dataId' in head.weight) throw new TypeError('an adapter is trained over frozen weights')
  return { norm, epsilon: config.normEpsilon, weight: head.weight }
}

/** Floats of activations that may be kept; a fixed number, so that a resumed run decides as the first one did. */
const mostKept = 2 ** 28

/** About how many floats the activations of all blocks are. */
export const keptFloats = (config: ModelConfig, rows: number, length: number): number =>
  config.layers.reduce(
    (sum, { heads, channels }) =>
      sum + rows * length * (8 * config.hiddenSize + 5 * channels + 6 * heads * config.headSize + 2 * length * heads),
    0,
  )

/** Whether the activations of all blocks are few enough to be kept: nothing is computed twice then. */
export const keepsActivations = (config: ModelConfig, rows: number, length: number): boolean =>
  keptFloats(config, rows, length) <= mostKept

/** The whole model as one graph, forward and backward. */
function keepingActivations(
  model: LlamaModel,
  adapter: Adapter,
  batch: TrainingBatch,
  pass: PassContext,
  divisor: Tensor,
  options: PassOptions,
): LossAndGradients {
  const pairs = adapter.layers.flatMap((matrices, layer) =>
    pairsOf(matrices).map(([projection, pair]) => ({ layer, projection, pair })),
  )
  const labels = tf.tensor1d(batch.labels, 'int32')
  const ids = tf.tensor1d(batch.ids, 'int32')
  const start = embed(ids, model.embedding)
  const { value, grads } = tf.valueAndGrads((...tensors: Tensor[]) => {
    const layers: LayerMatrices[] = adapter.layers.map(() => ({}))
    for (const [i, { layer, projection }] of pairs.entries())
      layers[layer]![projection] = { a: tensors[2 * i]!, b: tensors[2 * i + 1]! }
    let x = start
    for (const [index, layer] of model.layers.entries())
      x = block(x, layer, model.config, pass, {
        lowRank: lowRankOf(adapter, index, layers[index]!, dropoutOf(options, index, batch)),
        mask: options.masks?.[index],
      })
    return lossOfHead(x, headOf(model), labels, divisor, headRows(x.shape[0]!, model.config.vocabularySize)) as never
  })(pairs.flatMap(({ pair }) => [pair.a, pair.b]))
  tf.dispose([labels, ids, start])
  const gradients: LayerMatrices[] = adapter.layers.map(() => ({}))
  for (const [i, { layer, projection }] of pairs.entries())
    gradients[layer]![projection] = { a: grads[2 * i]!, b: grads[2 * i + 1]! }
  flushBackend()
  return { loss: value as Tensor, gradients }
}

/** The input of every block, and the last one's output. */
export function forwardKeepingInputs(
  model: LlamaModel,
  adapter: Adapter,
  batch: TrainingBatch,
  pass: PassContext,
  options: PassOptions,
): Tensor[] {
  const ids = tf.tensor1d(batch.ids, 'int32')
  const inputs = [embed(ids, model.embedding)]
  ids.dispose()
  for (const [index, layer] of model.layers.entries()) {
    const x = inputs[index]!
    inputs.push(
      tf.tidy(() =>
        block(x, layer, model.config, pass, {
          lowRank: lowRankOf(adapter, index, adapter.layers[index]!, dropoutOf(options, index, batch)),
          mask: options.masks?.[index],
        }),
      ),
    )
    flushBackend()
  }
  return inputs
}

const dropoutOf = ({ dropout }: PassOptions, layer: number, batch: { rows: number; length: number }) =>
  dropout && ((projection: Projection) => dropout(layer, projection, batch.rows * batch.length))

/** Walks the blocks from last to first; disposes of `inputs` and `gradient` on the way. */
function backward(
  model: LlamaModel,
  adapter: Adapter,
  pass: PassContext,
  inputs: Tensor[],
  gradient: Tensor,
  options: PassOptions,
): LayerMatrices[] {
  const gradients: LayerMatrices[] = []
  let dy = gradient
  for (let index = model.layers.length - 1; index >= 0; index--) {
    const layer = model.layers[index]!
    const x = inputs[index]!
    const pairs = pairsOf(adapter.layers[index]!)
    const again = (...args: Tensor[]) => {
      const matrices: LayerMatrices = {}
      for (const [i, [projection]] of pairs.entries()) matrices[projection] = { a: args[2 * i]!, b: args[2 * i + 1]! }
      return block(args[2 * pairs.length] ?? x, layer, model.config, pass, {
        lowRank: lowRankOf(adapter, index, matrices, dropoutOf(options, index, pass)),
        mask: options.masks?.[index],
      })
    }
    // What the first block's input wants is of no use to anyone.
    const wanted = [...pairs.flatMap(([, { a, b }]) => [a, b]), ...(index > 0 ? [x] : [])]
    const results = tf.grads(again)(wanted, dy)
    const matrices: LayerMatrices = {}
    for (const [i, [projection]] of pairs.entries())
      matrices[projection] = { a: results[2 * i]!, b: results[2 * i + 1]! } satisfies MatrixPair
    gradients[index] = matrices
    tf.dispose([x, dy])
    flushBackend()
    if (index > 0) dy = results.at(-1)!
  }
  return gradients
}

/** Rows of the head's input that are computed at once: the largest divisor of n whose logits are few enough. */
export function headRows(n: number, vocabulary: number): number {
  const { handy, most, rows: wanted } = logitsAtOnce()
  const atOnce = Math.max(handy / vocabulary, Math.min(wanted, most / vocabulary))
  for (let rows = Math.min(n, Math.floor(atOnce)); rows > 1; rows--) if (n % rows === 0) return rows
  return 1
}

/**
 * The loss and its gradient with respect to the last block's output, in pieces so that all logits never exist at once;
 * disposes of x.
 */
export function headLoss(
  x: Tensor,
  model: LlamaModel,
  labels: Int32Array,
  divisor: Tensor,
): { loss: Tensor; gradient: Tensor } {
  const target = tf.tensor1d(labels, 'int32')
  const rows = headRows(x.shape[0]!, model.config.vocabularySize)
  const result = headLossAndGradient(x, headOf(model), target, divisor, rows, flushBackend)
  tf.dispose([x, target])
  return result
}
