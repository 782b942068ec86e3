import { chooseBackend } from '../../engine/backends/choose.ts'
import { type PruneJob, pruneSchema } from '../../engine/contract/index.ts'
import { calibrationBatches } from '../../engine/data/calibration.ts'
import { createAdapter } from '../../engine/lora/adapter.ts'
import { openCheckpoint } from '../../engine/models/checkpoint.ts'
import { loadModelInSlices } from '../../engine/models/load.ts'
import { openTokenizer } from '../../engine/models/model-tokenizer.ts'
import { adapterGradients } from '../../engine/pruning/statistics/calibration-gradients.ts'
import { Random } from '../../engine/shared/random.ts'

/**
 * A model with an adapter that nothing has trained, and the adapter's gradients on calibration data, by which its groups are
 * scored.
 *
 * @param given settings of a pruning job: the checkpoint, data and its amount
 */
export async function scoredModel(given: Partial<PruneJob>, threads?: number) {
  const settings = pruneSchema.parse({ kind: 'prune', out: 'nowhere', rank: 16, alpha: 32, dropout: 0, ...given })
  const checkpoint = openCheckpoint(settings.checkpoint)
  await chooseBackend({ device: 'onnx', threads })
  const { signal } = new AbortController()
  const tokenizer = await openTokenizer(checkpoint)
  const batches = await calibrationBatches(settings, tokenizer, { signal })
  const model = await loadModelInSlices(checkpoint, { signal })
  const adapter = createAdapter(model.config, settings, new Random(0).fork('adapter'))
  return { settings, tokenizer, batches, model, adapter, gradients: adapterGradients(model, adapter, batches) }
}

/** A mask of groups of which some are gone, the lowest scores first. */
export function withoutLowest(scores: ArrayLike<number>, gone: number): Uint8Array {
  const order = Array.from(scores, (_, group) => group).toSorted((one, other) => scores[one]! - scores[other]!)
  const mask = new Uint8Array(scores.length).fill(1)
  for (const group of order.slice(0, gone)) mask[group] = 0
  return mask
}
