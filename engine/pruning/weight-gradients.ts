import { flushBackend } from '../backends/flush.ts'
import { type Projection, projections } from '../models/projections.ts'
import type { TrainingBatch } from '../data/batches.ts'
import { type Adapter, lowRankOf } from '../lora/adapter.ts'
import { block, disposePass, type LayerMask, type LlamaLayer, type LlamaModel } from '../models/llama.ts'
import { sizeOf } from '../ops/importance.ts'
import type { Linear } from '../ops/linear.ts'
import { mergedRows } from '../ops/weight-sums.ts'
import { type Tensor, tf } from '../tensor/tf.ts'
import { forwardKeepingInputs, headLoss, passOf } from '../training/gradients.ts'
import { targetsOf } from './calibration-gradients.ts'

/** A block's merged weights W + scale * B A [out, in], with gradients of their shape. */
export interface BlockGradients {
  weights: Record<Projection, Tensor>
  /** Of the mean loss over all batches. */
  gradients: Record<Projection, Tensor>
  /** Mean over batches of the squared gradient of each one's own mean loss; only where asked for. */
  squares: Record<Projection, Tensor> | null
}

/**
 * True gradients of the loss with respect to the base weights, one block's at a time, from the last block to the first:
 * dense weights and their gradients exist for one block only. What `visit` makes of a block is returned, first block first.
 */
export function mapWeightGradients<Result>(
  model: LlamaModel,
  adapter: Adapter,
  batches: readonly TrainingBatch[],
  options: { masks?: LayerMask[] | undefined; squares?: boolean },
  visit: (layer: number, block: BlockGradients) => Result,
): Result[] {
  const { masks } = options
  const divisor = tf.scalar(targetsOf(batches))
  const passes = batches.map((batch) => passOf(model, batch))
  const inputs = batches.map((batch, i) => forwardKeepingInputs(model, adapter, batch, passes[i]!, { masks }))
  const upstream = batches.map((batch, i) => {
    const { loss, gradient } = headLoss(inputs[i]!.pop()!, model, batch.labels, divisor)
    loss.dispose()
    return gradient
  })
  const results: Result[] = []
  for (let index = model.layers.length - 1; index >= 0; index--) {
    const layer = model.layers[index]!
    const weights = denseWeights(layer, adapter, index)
    const ordered = projections.map((projection) => weights[projection])
    const sums: Tensor[][] = [[], []]
    for (const [i] of batches.entries()) {
      const x = inputs[i]!.pop()!
      const forward = (...args: Tensor[]) =>
        block(args[projections.length] ?? x, withWeights(layer, args), model.config, passes[i]!, {
          mask: masks?.[index],
        })
      const found = tf.grads(forward)([...ordered, ...(index > 0 ? [x] : [])], upstream[i]!)
      tf.dispose([x, upstream[i]!])
      if (index > 0) upstream[i] = found.pop()!
      if (options.squares) sums[1] = addTo(sums[1]!, found.map(tf.square) as Tensor[])
      sums[0] = addTo(sums[0]!, found)
      flushBackend()
    }
    // Each batch's share of the mean loss is its own mean loss over the number of batches, where they are alike.
    const squares = sums[1]!.map((sum) => {
      const mean = tf.mul(sum, batches.length)
      sum.dispose()
      return mean
    })
    results[index] = visit(index, {
      weights,
      gradients: named(sums[0]!),
      squares: options.squares ? named(squares) : null,
    })
    tf.dispose([...ordered, ...sums[0]!, ...squares])
    flushBackend()
  }
  for (const pass of passes) disposePass(pass)
  divisor.dispose()
  return results
}

const named = (tensors: readonly Tensor[]) =>
  Object.fromEntries(projections.map((projection, i) => [projection, tensors[i]!])) as Record<Projection, Tensor>

function denseWeights(layer: LlamaLayer, adapter: Adapter, index: number): Record<Projection, Tensor> {
  const lowRank = lowRankOf(adapter, index)
  const dense = (projection: Projection) => {
    const { weight } = layer.projections[projection]
    return tf.tidy(() => mergedRows(weight, lowRank[projection], 0, sizeOf(weight)[0]))
  }
  return named(projections.map(dense))
}

function withWeights(layer: LlamaLayer, weights: readonly Tensor[]): LlamaLayer {
  const linears = projections.map((projection, i): [Projection, Linear] => [
    projection,
    { weight: weights[i]!, bias: layer.projections[projection].bias },
  ])
  return { ...layer, projections: Object.fromEntries(linears) as Record<Projection, Linear> }
}

/** Adds tensors one by one; both lists are disposed of, unless there is nothing to add to. */
function addTo(sums: Tensor[], more: Tensor[]): Tensor[] {
  if (sums.length === 0) return more
  const added = sums.map((sum, i) => tf.add(sum, more[i]!))
  tf.dispose([...sums, ...more])
  return added
}
