import { existsSync } from 'node:fs'
import { chooseBackend } from '../backends/choose.ts'
import { openCheckpoint } from '../models/checkpoint.ts'
import { baseModelOf, copyLicenses } from '../export/card/base-model.ts'
import { finetunedCard } from '../export/card/finetuned.ts'
import { writeCard } from '../export/card/model-card.ts'
import { adapterMatrices, trainedClassifier } from '../lora/peft.ts'
import { writeAdapter } from '../lora/write-peft.ts'
import type { FinetuneJob, JobContext, ResultEvent } from '../contract/index.ts'
import { announce } from '../estimate/announce.ts'
import { announceWork } from '../estimate/phase-work.ts'
import { peakMemory } from '../estimate/memory.ts'
import { inRunFolder } from '../runs/run-folder.ts'
import { prepareTraining } from '../runs/prepare.ts'
import { record } from '../runs/record.ts'
import { startedOf } from '../runs/started.ts'
import { forModel } from '../training/job-for-model.ts'
import { takeSteps } from '../training/loop.ts'

/** Fine-tunes an adapter on a checkpoint and writes it as a PEFT folder: OUT/output. */
export async function finetune(given: FinetuneJob, context: JobContext): Promise<ResultEvent> {
  const started = performance.now()
  using checkpoint = openCheckpoint(given.checkpoint, given.imageSize)
  const job = forModel(given, checkpoint.config)
  const choice = await chooseBackend(job)
  await announce(job, checkpoint, context.emit)
  const base = baseModelOf(checkpoint.folder, checkpoint.config.source)
  return await inRunFolder(job, context, async (folder) => {
    context.emit(startedOf(job, choice))
    await announceWork(job, checkpoint, checkpoint.config.layers, context)
    context.emit({ type: 'phase', phase: 'reading' })
    using run = await prepareTraining(job, checkpoint, folder, context)
    context.emit({ type: 'phase', phase: 'training' })
    const { loss, adapter, validation } = await record(job, run, folder, context, {
      events: takeSteps(run.trainer, run.done),
    })
    context.emit({ type: 'phase', phase: 'writing' })
    if (!existsSync(folder.output)) {
      const { config } = run.model
      const matrices = adapterMatrices(config, adapter.layers)
      const settings = {
        ...run.adapter.settings,
        base: job.checkpoint,
        matrices,
        ...(adapter.classifier && { classifier: trainedClassifier(config, adapter.classifier) }),
      }
      const facts = { config, steps: run.steps, loss, validation }
      await writeAdapter(folder.output, settings, config, (temporary) => {
        copyLicenses(checkpoint.folder, base, temporary)
        writeCard(temporary, finetunedCard(job, base, facts))
      })
    }
    return {
      type: 'result',
      adapter: folder.output,
      trainable: run.trainable,
      data: run.rows,
      ...(validation && { validation }),
      loss,
      ...peakMemory(),
      seconds: folder.attempts.secondsSince(started),
    }
  })
}
