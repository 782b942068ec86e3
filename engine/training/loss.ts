import type { TrainingBatch } from '../data/batches.ts'
import { type Adapter, lowRankOf } from '../lora/adapter.ts'
import type { LayerMask, Model } from '../models/family.ts'
import { classLogits, embedBatch, forward } from '../models/forward.ts'
import { tf } from '../tensor/tf.ts'
import { passOf } from './gradients.ts'
import { headLoss } from './head.ts'
import { likeliest, logSumExp } from './logits.ts'

/** What a batch comes to, summed over its targets. */
export interface Measured {
  /** In nats. */
  loss: number
  /** Images whose class is the likeliest one; null of text. */
  correct: number | null
}

/** The loss of a batch, and what it gets right, with the adapter as it is and without dropout. */
export function measureBatch(
  model: Model,
  adapter: Adapter,
  batch: TrainingBatch,
  masks: readonly LayerMask[] | undefined,
): Measured {
  using pass = passOf(model.config, batch)
  const last = forward(model, embedBatch(model, batch), pass, {
    extras: (layer) => ({ lowRank: lowRankOf(adapter, layer), mask: masks?.[layer] }),
  })
  if ('patches' in batch) {
    const logits = tf.tidy(() => classLogits(last, model, pass, adapter.classifier))
    const values = logits.dataSync() as Float32Array
    tf.dispose([last, logits])
    return ofClasses(values, batch.labels)
  }
  const one = tf.scalar(1)
  const { loss, gradient, classifier } = headLoss(last, model, batch, pass, one, adapter.classifier)
  const sum = loss.dataSync()[0]!
  tf.dispose([loss, gradient, one, ...(classifier ? [classifier.a, classifier.b] : [])])
  return { loss: sum, correct: null }
}

/** @param logits [rows, classes] */
function ofClasses(logits: Float32Array, labels: Int32Array): Measured {
  const classes = logits.length / labels.length
  let [loss, correct] = [0, 0]
  for (const [row, label] of labels.entries()) {
    if (label < 0) continue
    const values = logits.subarray(row * classes, (row + 1) * classes)
    loss += logSumExp(values) - values[label]!
    if (likeliest(values) === label) correct++
  }
  return { loss, correct }
}
