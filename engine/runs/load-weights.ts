import type { JobContext } from '../contract/index.ts'
import type { Checkpoint } from '../models/checkpoint.ts'
import type { Model } from '../models/family.ts'
import { disposeModel, loadModelInSlices } from '../models/load.ts'
import { StageProgress } from './stage-progress.ts'

/**
 * Reads the weights of a checkpoint and says how far that is.
 *
 * @param made disposes of the model
 */
export async function loadWeights(
  checkpoint: Checkpoint,
  { emit, signal }: Pick<JobContext, 'emit' | 'signal'>,
  made: DisposableStack,
  int8 = false,
): Promise<Model> {
  const reading = new StageProgress('reading weights', emit)
  let bytes = 0
  const onProgress = (more: number) => reading.report((bytes += more), checkpoint.bytes)
  const model = await loadModelInSlices(checkpoint, { int8, signal, onProgress })
  made.defer(() => disposeModel(model))
  return model
}
