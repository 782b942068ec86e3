import { existsSync } from 'node:fs'
import { chooseBackend } from '../backends/choose.ts'
import { openCheckpoint } from '../models/checkpoint.ts'
import { adapterMatrices, writeAdapter } from '../lora/peft.ts'
import type { FinetuneJob, JobContext, ResultEvent } from '../contract/index.ts'
import { estimateJob, refuseIfTooLarge } from '../estimate/estimate.ts'
import { placementOf } from '../estimate/placement.ts'
import { peakMemory } from '../estimate/memory.ts'
import { inRunFolder } from '../runs/run-folder.ts'
import { adapterValues, prepareTraining, train } from '../runs/training-run.ts'

/** Fine-tunes an adapter on a checkpoint and writes it as a PEFT folder: OUT/output. */
export async function finetune(job: FinetuneJob, context: JobContext): Promise<ResultEvent> {
  const started = performance.now()
  using checkpoint = openCheckpoint(job.checkpoint)
  const { name, threads } = await chooseBackend(job)
  const estimate = estimateJob(job, checkpoint, { placement: placementOf(job, checkpoint) })
  context.emit({ type: 'estimate', estimate })
  refuseIfTooLarge(estimate)
  return await inRunFolder(job, context, async (folder) => {
    context.emit({ type: 'started', job, backend: name, threads })
    using run = await prepareTraining(job, checkpoint, folder, context)
    const loss = await train(job, run, folder, context)
    if (!existsSync(folder.output)) {
      await writeAdapter(folder.output, {
        rank: job.rank,
        alpha: job.alpha,
        dropout: job.dropout,
        rankStabilised: job.rankStabilised,
        projections: job.targetModules,
        base: job.checkpoint,
        matrices: adapterMatrices(checkpoint.config, adapterValues(run.adapter).layers),
      })
    }
    return {
      type: 'result',
      adapter: folder.output,
      loss,
      ...peakMemory(),
      seconds: (performance.now() - started) / 1000,
    }
  })
}
