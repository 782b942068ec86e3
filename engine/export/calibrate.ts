import { setImmediate } from 'node:timers/promises'
import { calibrationBatches } from '../data/calibration.ts'
import type { LinearName } from '../models/family.ts'
import type { Checkpoint } from '../models/checkpoint.ts'
import { embedBatch, forward } from '../models/forward.ts'
import { disposeModel, loadModelInSlices } from '../models/load.ts'
import { openTokenizer } from '../models/model-tokenizer.ts'
import { linearsOf } from '../models/tensors.ts'
import { availableMemory } from '../shared/available-memory.ts'
import { type Tensor, tf } from '../tensor/tf.ts'
import { passOf } from '../training/gradients.ts'
import type { WorkControl } from '../shared/work-control.ts'

/** Sequences that are run, their length, and how many at once. */
const sequences = { count: 64, length: 256, atOnce: 4 }

/** What goes into linear layers, over all tokens that were run: by layer and by the name that `LinearSpec.reads` has. */
export interface Calibration {
  /** Sums of products of features [features * features]; null where there is no room for them. */
  products: Map<string, Float32Array> | null
  /** Sums of squares of features. */
  squares: Map<string, Float32Array>
}

export const inputKey = (layer: number, reads: LinearName): string => `${layer} ${reads}`

/**
 * Runs a text through the model for what its linear layers read.
 *
 * @param control.progress sequences that were run, of all
 */
export async function calibrate(
  { calibrate: file }: { calibrate: string },
  checkpoint: Checkpoint,
  { signal, progress }: WorkControl,
): Promise<Calibration> {
  const length = Math.min(sequences.length, checkpoint.config.maxPositions)
  const batches = await calibrationBatches(
    {
      calibrationData: [file],
      calibrationShares: [],
      calibrationSamples: sequences.count,
      data: [file],
      batchSize: sequences.atOnce,
      sequenceLength: length,
      seed: 0,
    },
    await openTokenizer(checkpoint),
    { signal },
  )
  const fits = calibrationMemory(checkpoint) > 0
  const found: Calibration = { products: fits ? new Map() : null, squares: new Map() }
  const model = await loadModelInSlices(checkpoint, { signal })
  try {
    for (const [index, batch] of batches.entries()) {
      using pass = passOf(model.config, batch)
      const last = forward(model, embedBatch(model, batch), pass, {
        extras: (layer) => ({ observe: (reads, x) => take(found, inputKey(layer, reads), x) }),
      })
      last.dispose()
      progress((index + 1) * sequences.atOnce, sequences.count)
      await setImmediate()
      signal.throwIfAborted()
    }
  } finally {
    disposeModel(model)
  }
  return found
}

/** Bytes of all sums of products; 0 where there is no room for them. */
export function calibrationMemory(checkpoint: Checkpoint): number {
  const bytes = productBytes(checkpoint)
  return bytes < availableMemory() / 3 ? bytes : 0
}

const productBytes = ({ config }: Checkpoint): number =>
  config.layers.reduce(
    (sum, _, layer) =>
      sum +
      linearsOf(config, layer).reduce(
        (all, { name, reads, inputs }) => all + (name === reads ? 4 * inputs ** 2 : 0),
        0,
      ),
    0,
  )

/** @param x [tokens, features] */
function take({ products, squares }: Calibration, key: string, x: Tensor): void {
  addTo(squares, key, () => tf.sum(tf.square(x), 0))
  if (products) addTo(products, key, () => tf.matMul(x, x, true))
}

function addTo(sums: Map<string, Float32Array>, key: string, part: () => Tensor): void {
  const tensor = tf.tidy(part)
  const values = tensor.dataSync() as Float32Array
  tensor.dispose()
  const sum = sums.get(key)
  if (sum) for (let i = 0; i < sum.length; i++) sum[i]! += values[i]!
  else sums.set(key, Float32Array.from(values))
}
