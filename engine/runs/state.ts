import type { RestoredValues, SavedValues } from '../shared/saved-values.ts'
import { badFile } from '../shared/errors.ts'
import { pairsOf, trainedMatrices } from '../lora/adapter.ts'
import { tf } from '../tensor/tf.ts'
import type { Trainer } from '../training/trainer.ts'

/** The adapter and the moments of its optimiser, by the names that they have in a saved state. */
const sets = (trainer: Trainer) =>
  [
    ['adapter', trainedMatrices(trainer.adapter)],
    ['first', trainer.optimiser.first],
    ['second', trainer.optimiser.second],
  ] as const

/** What a trainer must find again when its run is resumed. */
export function trainingState(trainer: Trainer): SavedValues {
  const values: SavedValues = new Map()
  for (const [set, layers] of sets(trainer))
    for (const [layer, matrices] of layers.entries())
      for (const [name, pair] of pairsOf(matrices))
        for (const side of ['a', 'b'] as const)
          values.set(`${set}.${layer}.${name}.${side}`, {
            shape: pair[side].shape,
            data: pair[side].dataSync() as Float32Array,
          })
  return values
}

/** Puts the optimiser's moments back. */
export function restoreMoments(trainer: Trainer, saved: RestoredValues): void {
  for (const [set, layers] of sets(trainer).slice(1))
    for (const [layer, matrices] of layers.entries())
      for (const [name, pair] of pairsOf(matrices))
        for (const side of ['a', 'b'] as const) {
          const { shape, size } = pair[side]
          const values = saved.value(`${set}.${layer}.${name}.${side}`, size)
          pair[side].dispose()
          pair[side] = tf.tensor(values, shape)
        }
}

/** A saved state as it is read back; `folder` is for messages. */
export const restoredValues = (values: SavedValues, folder: string): RestoredValues => ({
  has: (name) => values.has(name),
  value(name, numbers) {
    const data = values.get(name)?.data
    if (data?.length === numbers) return data
    const wrong = data ? `has ${data.length} numbers in place of ${numbers}` : 'is missing'
    throw badFile(folder, `state: ${name}`, `${wrong}: the saved state is of another run or damaged`)
  },
})
