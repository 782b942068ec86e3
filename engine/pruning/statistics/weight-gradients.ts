import type { TrainingBatch } from '../../data/batches.ts'
import { type Adapter, lowRankOf } from '../../lora/adapter.ts'
import type { LayerMask, LinearName, Model } from '../../models/family.ts'
import { backward } from '../../models/forward.ts'
import { sizeOf } from '../../ops/importance.ts'
import { mergedRows } from '../../ops/weight-sums.ts'
import { type Tensor, tf } from '../../tensor/tf.ts'
import { blockInputs, passOf } from '../../training/gradients.ts'
import { headLoss } from '../../training/head.ts'
import { targetsOf } from './calibration-gradients.ts'

/** A block's merged weights W + scale * B A [out, in], with gradients of their shape. */
export interface WeightGradients {
  weights: Record<LinearName, Tensor>
  /** Of the mean loss over all batches. */
  gradients: Record<LinearName, Tensor>
  /** Mean over rows of the squared gradient of each one's own mean loss; only where asked for. */
  squares: Record<LinearName, Tensor> | null
}

/**
 * True gradients of the loss with respect to the base weights, one block's at a time, from the last block to the first:
 * dense weights and their gradients exist for one block only. What `visit` makes of a block is returned, first block first.
 *
 * Where squares are asked for, every row passes by itself, since a mean of squares over samples cannot be had from the
 * gradient of several; no more is held at once than for whole batches.
 */
export function mapWeightGradients<Result>(
  model: Model,
  adapter: Adapter,
  batches: readonly TrainingBatch[],
  options: { masks?: readonly LayerMask[] | undefined; squares?: boolean },
  visit: (layer: number, block: WeightGradients) => Result,
): Result[] {
  const { masks } = options
  const targets = targetsOf(batches)
  const divisor = tf.scalar(targets)
  const parts = options.squares ? batches.flatMap(singleRows) : batches
  using passes = new DisposableStack()
  const walked = parts.map((batch) => {
    const pass = passes.use(passOf(model.config, batch))
    const inputs = blockInputs(model, adapter, batch, pass, { masks })
    const { loss, gradient, classifier } = headLoss(inputs.pop()!, model, batch, pass, divisor, adapter.classifier)
    tf.dispose([loss, ...(classifier ? [classifier.a, classifier.b] : [])])
    return { pass, inputs, gradient }
  })
  const results: Result[] = []
  backward(model.layers.length, walked, (layer) => {
    const names = Object.keys(model.layers[layer]!.linears)
    const weights = denseWeights(model, adapter, layer)
    const named = (tensors: readonly Tensor[]): Record<LinearName, Tensor> =>
      Object.fromEntries(names.map((name, i) => [name, tensors[i]!]))
    let sums: Tensor[] = []
    let squares: Tensor[] = []
    return {
      variables: weights,
      with: (variables) => ({ model: withWeights(model, layer, named(variables)), extras: { mask: masks?.[layer] } }),
      take(found, part) {
        if (options.squares) {
          // A row's share of the mean loss is its own mean loss times its targets over all of them.
          const uneven = targets / (parts.length * parts[part]!.targets)
          squares = addTo(
            squares,
            found.map((tensor) => squareOf(tensor, uneven)),
          )
        }
        sums = addTo(sums, found)
      },
      done() {
        const means = squares.map((sum) => tf.mul(sum, parts.length))
        tf.dispose(squares)
        const gradients = { weights: named(weights), gradients: named(sums) }
        results[layer] = visit(layer, { ...gradients, squares: options.squares ? named(means) : null })
        tf.dispose([...weights, ...sums, ...means])
      },
    }
  })
  divisor.dispose()
  return results
}

const squareOf = (tensor: Tensor, scale: number): Tensor =>
  tf.tidy(() => (scale === 1 ? tf.square(tensor) : tf.square(tf.mul(tensor, scale))))

/** The rows of a batch as batches of their own; those without a target have no loss, and are left out. */
function singleRows(batch: TrainingBatch): TrainingBatch[] {
  const { rows, length } = batch
  return Array.from({ length: rows }, (_, row): TrainingBatch => {
    if ('patches' in batch) {
      const patches = batch.patches.length / rows
      const own = batch.patches.subarray(row * patches, (row + 1) * patches)
      return { patches: own, labels: batch.labels.subarray(row, row + 1), rows: 1, length, targets: 1 }
    }
    const cut = (values: Int32Array) => values.subarray(row * length, (row + 1) * length)
    const labels = cut(batch.labels)
    return {
      ids: cut(batch.ids),
      labels,
      segments: batch.segments && cut(batch.segments),
      positions: batch.positions && cut(batch.positions),
      rows: 1,
      length,
      targets: labels.reduce((count, label) => count + (label >= 0 ? 1 : 0), 0),
    }
  }).filter(({ targets }) => targets > 0)
}

/** A layer's merged weights, in the order of its linear layers. */
function denseWeights(model: Model, adapter: Adapter, layer: number): Tensor[] {
  const lowRank = lowRankOf(adapter, layer)
  return Object.entries(model.layers[layer]!.linears).map(([name, { weight }]) =>
    tf.tidy(() => mergedRows(weight, lowRank[name], 0, sizeOf(weight)[0])),
  )
}

/** The model with other weights in one of its layers. */
function withWeights(model: Model, layer: number, weights: Record<LinearName, Tensor>): Model {
  const block = model.layers[layer]!
  const linears = Object.fromEntries(
    Object.entries(block.linears).map(([name, { bias }]) => [name, { weight: weights[name]!, bias }]),
  )
  return { ...model, layers: model.layers.with(layer, { ...block, linears }) }
}

/** Adds tensors one by one; both lists are disposed of, unless there is nothing to add to. */
function addTo(sums: Tensor[], more: Tensor[]): Tensor[] {
  if (sums.length === 0) return more
  const added = sums.map((sum, i) => tf.add(sum, more[i]!))
  tf.dispose([...sums, ...more])
  return added
}
