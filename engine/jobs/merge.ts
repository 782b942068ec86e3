import { openCheckpoint } from '../models/checkpoint.ts'
import { fitPreprocessing } from '../data/images/write-preprocessing.ts'
import { isOfImages } from '../models/encoder-config.ts'
import { writeCheckpoint } from '../models/write-checkpoint.ts'
import { adapterScale } from '../lora/adapter-scale.ts'
import { parametersBeside } from '../lora/classifier.ts'
import { mergedReader, readAll, readerOf8Bits } from '../lora/merge.ts'
import { adaptedConfig, checkAdapter, pairsOfAdapter } from '../lora/peft.ts'
import { readAdapter } from '../lora/read-peft.ts'
import { countParameters } from '../models/tensors.ts'
import type { JobContext, MergeJob, ResultEvent } from '../contract/index.ts'
import { announce } from '../estimate/announce.ts'
import { baseModelOf, copyLicenses } from '../export/card/base-model.ts'
import { mergedCard } from '../export/card/merged.ts'
import { writeCard } from '../export/card/model-card.ts'
import { compatibilityOf } from '../export/compatibility.ts'
import { peakMemory } from '../estimate/memory.ts'
import { StageProgress } from '../runs/stage-progress.ts'

/** Writes the checkpoint with an adapter added to its weights: W + scale * B A, rounded once. */
export async function merge(job: MergeJob, { emit, signal }: JobContext): Promise<ResultEvent> {
  using checkpoint = openCheckpoint(job.checkpoint, job.imageSize)
  const adapter = readAdapter(job.adapter)
  checkAdapter(adapter, checkpoint.config)
  await announce(job, checkpoint, emit)
  const dtype = job.outputDtype === 'same' ? checkpoint.dtype : job.outputDtype
  const config = adaptedConfig(checkpoint.config, adapter)
  const described = baseModelOf(checkpoint.folder, config.source)
  const { classifier = null } = adapter
  const values = { scale: adapterScale(adapter), layers: pairsOfAdapter(adapter, config), classifier }
  const own = (name: string) => checkpoint.read(name)
  const base = job.mergeInto === 'trained' ? readerOf8Bits(config, own) : own
  emit({ type: 'phase', phase: 'writing' })
  const writing = new StageProgress('writing', emit)
  const parameters = { before: parametersBeside(checkpoint, config), after: countParameters(config) }
  await writeCheckpoint(job.out, {
    config,
    dtype,
    tensors: readAll(config, mergedReader(config, base, values)),
    tokenizerFrom: checkpoint.folder,
    ifTooLarge: 'write bfloat16 or float32 with --output-dtype',
    beside: (temporary) => {
      if (isOfImages(config)) fitPreprocessing(temporary, config.imageSize)
      copyLicenses(checkpoint.folder, described, temporary)
      writeCard(temporary, mergedCard(job, described, adapter, config, parameters))
    },
    signal,
    onProgress: (done, total) => writing.report(done, total),
  })
  return {
    type: 'result',
    checkpoint: job.out,
    parameters,
    compatibility: compatibilityOf(config),
    ...peakMemory(),
  }
}
