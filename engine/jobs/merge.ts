import { openCheckpoint, writeCheckpoint } from '../models/checkpoint.ts'
import { checkAdapter, readAdapter } from '../lora/peft.ts'
import type { JobContext, MergeJob, ResultEvent } from '../contract/index.ts'
import { adapterScale } from '../lora/adapter.ts'
import { fullMasks } from '../pruning/masks.ts'
import { shrunkTensors } from '../pruning/shrink.ts'
import { estimateJob, refuseIfTooLarge } from '../estimate/estimate.ts'
import { peakMemory } from '../estimate/memory.ts'
import { StageProgress } from '../runs/stage-progress.ts'

/** Writes the checkpoint with an adapter added to its weights: W + scale * B A, rounded once. */
export async function merge(job: MergeJob, { emit, signal }: JobContext): Promise<ResultEvent> {
  using checkpoint = openCheckpoint(job.checkpoint)
  const adapter = readAdapter(job.adapter)
  checkAdapter(adapter, checkpoint.config)
  const estimate = estimateJob(job, checkpoint)
  emit({ type: 'estimate', estimate })
  refuseIfTooLarge(estimate)
  const dtype = job.outputDtype === 'same' ? checkpoint.dtype : job.outputDtype
  const { config } = checkpoint
  const layers = config.layers.map((_, layer) =>
    Object.fromEntries(
      adapter.projections.flatMap((projection) => {
        const matrix = adapter.matrices.get(`layers.${layer}.${projection}`)
        return matrix ? [[projection, matrix] as const] : []
      }),
    ),
  )
  const writing = new StageProgress('writing', emit)
  await writeCheckpoint(job.out, {
    config,
    dtype,
    tensors: shrunkTensors(
      config,
      (name) => checkpoint.read(name),
      fullMasks(config, 'query-heads'),
      { scale: adapterScale(adapter), layers },
      dtype,
    ),
    tokenizerFrom: checkpoint.folder,
    signal,
    onProgress: (done, total) => writing.report(done, total),
  })
  const { parameters } = checkpoint
  return { type: 'result', checkpoint: job.out, parameters: { before: parameters, after: parameters }, ...peakMemory() }
}
