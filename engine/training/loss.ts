import type { TrainingBatch } from '../data/batches.ts'
import { type Adapter, lowRankOf } from '../lora/adapter.ts'
import type { LayerMask, Model } from '../models/family.ts'
import { embedBatch, forward } from '../models/forward.ts'
import { tf } from '../tensor/tf.ts'
import { passOf } from './gradients.ts'
import { headLoss } from './head.ts'

/** The loss of a batch, summed over its targets in nats, with the adapter as it is and without dropout. */
export function summedLoss(
  model: Model,
  adapter: Adapter,
  batch: TrainingBatch,
  masks: readonly LayerMask[] | undefined,
): number {
  using pass = passOf(model.config, batch)
  const last = forward(model, embedBatch(model, batch), pass, {
    extras: (layer) => ({ lowRank: lowRankOf(adapter, layer), mask: masks?.[layer] }),
  })
  const one = tf.scalar(1)
  const { loss, gradient, classifier } = headLoss(last, model, batch, pass, one, adapter.classifier)
  const sum = loss.dataSync()[0]!
  tf.dispose([loss, gradient, one, ...(classifier ? [classifier.a, classifier.b] : [])])
  return sum
}
