import type { TrainingBatch } from '../../data/batches.ts'
import type { Adapter, LayerMatrices } from '../../lora/adapter.ts'
import type { LayerMask, Model } from '../../models/family.ts'
import { tf } from '../../tensor/tf.ts'
import { lossAndGradients } from '../../training/gradients.ts'
import { addMatrices } from '../../training/trainer.ts'

/** Labels of all batches: what the mean loss over them is divided by. */
export const targetsOf = (batches: readonly TrainingBatch[]): number =>
  Math.max(
    1,
    batches.reduce((sum, { targets }) => sum + targets, 0),
  )

/** Gradient of the mean loss over some batches with respect to the adapter, without dropout. */
export function adapterGradients(
  model: Model,
  adapter: Adapter,
  batches: readonly TrainingBatch[],
  masks?: readonly LayerMask[],
): LayerMatrices[] {
  const divisor = tf.scalar(targetsOf(batches))
  let total: LayerMatrices[] | null = null
  for (const batch of batches) {
    const { loss, gradients } = lossAndGradients(model, adapter, batch, divisor, { masks })
    loss.dispose()
    total = total ? addMatrices(total, gradients) : gradients
  }
  divisor.dispose()
  return total!
}
