import { flushBackend } from '../backends/extras.ts'
import type { TrainingBatch } from '../data/batches.ts'
import {
  type Adapter,
  classifierMatrices,
  type LayerMatrices,
  lowRankOf,
  pairsOf,
  trainedMatrices,
} from '../lora/adapter.ts'
import type { LayerMask, LinearName, Model, Pass } from '../models/family.ts'
import { backward, embedBatch, forward, forwardTaped } from '../models/forward.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { familyOf } from '../models/registry.ts'
import { freedOnTheWayBack } from '../tensor/freed-tape.ts'
import { type Tensor, tf } from '../tensor/tf.ts'
import { type DropoutSource } from './dropout.ts'
import { headLoss, tapedLoss } from './head.ts'
import { disposeLesson, type Lesson, lessonOf, type Teacher } from './teacher.ts'

export interface LossAndGradients {
  /** Scalar: this batch's share of the mean loss. */
  loss: Tensor
  /** Gradient of the loss with respect to what is trained, in the order of `trainedMatrices`. */
  gradients: LayerMatrices[]
}

export interface GradientOptions {
  /** Keep every block's activations for the backward pass instead of computing the block again (see `keepsActivations`). */
  keep?: boolean | undefined
  masks?: readonly LayerMask[] | undefined
  dropout?: DropoutSource | undefined
  /** What the loss is taken against beside the labels. */
  teacher?: Teacher | undefined
}

/** What all blocks share in the pass of a training batch. Dispose of it. */
export function passOf(config: ModelConfig, batch: TrainingBatch): Pass {
  const { rows, length } = batch
  if ('patches' in batch) return familyOf(config).makePass(config, rows, length)
  const { segments, positions } = batch
  return familyOf(config).makePass(config, rows, length, {
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
  model: Model,
  adapter: Adapter,
  batch: TrainingBatch,
  divisor: Tensor,
  options: GradientOptions = {},
): LossAndGradients {
  using pass = passOf(model.config, batch)
  const { teacher } = options
  // The teacher passes first, so that nothing of the student's is held beside what it computes.
  const lesson = teacher && lessonOf(teacher, batch, () => passOf(teacher.model.config, batch))
  try {
    const find = options.keep ? keepingActivations : computingAgain
    return find({ model, adapter, batch, pass, divisor, options, lesson })
  } finally {
    disposeLesson(lesson)
  }
}

/** What the gradients of a batch are computed of. */
interface Work {
  model: Model
  adapter: Adapter
  batch: TrainingBatch
  pass: Pass
  divisor: Tensor
  options: GradientOptions
  lesson: Lesson | undefined
}

/** Block by block: the forward pass keeps each block's input alone. */
function computingAgain({ model, adapter, batch, pass, divisor, options, lesson }: Work): LossAndGradients {
  const inputs = blockInputs(model, adapter, batch, pass, options)
  const { loss, gradient, classifier } = headLoss(
    inputs.pop()!,
    model,
    batch,
    pass,
    divisor,
    adapter.classifier,
    lesson,
  )
  const gradients: LayerMatrices[] = []
  backward(model.layers.length, [{ pass, inputs, gradient }], (layer) => {
    const pairs = pairsOf(adapter.layers[layer]!)
    return {
      variables: pairs.flatMap(([, { a, b }]) => [a, b]),
      with: (variables) => ({ model, extras: extrasOf(adapter, layer, paired(pairs, variables), batch, options) }),
      take: (found) => (gradients[layer] = paired(pairs, found)),
    }
  })
  return { loss, gradients: [...gradients, ...classifierMatrices(classifier)] }
}

/** Tensors in the order [a, b, a, b, ...] as the matrices of a layer. */
function paired(pairs: readonly [LinearName, unknown][], tensors: readonly Tensor[]): LayerMatrices {
  const matrices: LayerMatrices = {}
  for (const [i, [name]] of pairs.entries()) matrices[name] = { a: tensors[2 * i]!, b: tensors[2 * i + 1]! }
  return matrices
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
function keepingActivations({ model, adapter, batch, pass, divisor, options, lesson }: Work): LossAndGradients {
  const pairs = trainedMatrices(adapter).map(pairsOf)
  /** Tensors of all layers, one after another, as matrices by layer. */
  const byLayer = (tensors: readonly Tensor[]): LayerMatrices[] => {
    let first = 0
    return pairs.map((ofLayer) => paired(ofLayer, tensors.slice(first, (first += 2 * ofLayer.length))))
  }
  const labels = tf.tensor1d(batch.labels, 'int32')
  const start = embedBatch(model, batch)
  const loss = freedOnTheWayBack((...tensors: Tensor[]) => {
    const layers = byLayer(tensors)
    const x = forwardTaped(model, start, pass, (layer) => extrasOf(adapter, layer, layers[layer]!, batch, options))
    const classifier = adapter.classifier && layers.at(-1)!['classifier']!
    return tapedLoss(x, model, labels, pass, divisor, classifier, lesson) as never
  })
  const { value, grads } = tf.valueAndGrads(loss)(pairs.flat().flatMap(([, { a, b }]) => [a, b]))
  tf.dispose([labels, start])
  const gradients = byLayer(grads)
  flushBackend()
  return { loss: value as Tensor, gradients }
}

/** The input of every block, and the last one's output. */
export function blockInputs(
  model: Model,
  adapter: Adapter,
  batch: TrainingBatch,
  pass: Pass,
  options: GradientOptions,
): Tensor[] {
  const inputs: Tensor[] = []
  const last = forward(model, embedBatch(model, batch), pass, {
    extras: (layer) => extrasOf(adapter, layer, adapter.layers[layer]!, batch, options),
    visit: (_, x) => inputs.push(x),
    disposes: false,
  })
  return [...inputs, last]
}

/** What comes into a block while an adapter is trained. */
const extrasOf = (
  adapter: Adapter,
  layer: number,
  matrices: LayerMatrices,
  { rows, length }: { rows: number; length: number },
  { dropout, masks }: GradientOptions,
) => ({
  lowRank: lowRankOf(adapter, layer, matrices, dropout && ((name: LinearName) => dropout(layer, name, rows * length))),
  mask: masks?.[layer],
})
