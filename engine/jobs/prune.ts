import { existsSync } from 'node:fs'
import { chooseBackend } from '../backends/choose.ts'
import { type Checkpoint, openCheckpoint, writeCheckpoint } from '../models/checkpoint.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { criteria, type JobContext, type PruneJob, type ResultEvent } from '../contract/index.ts'
import { badSetting } from '../shared/errors.ts'
import { shrunkConfig, shrunkTensors } from '../pruning/shrink.ts'
import { ratioForParameters, type TargetSettings } from '../pruning/targets.ts'
import { estimateJob, refuseIfTooLarge } from '../estimate/estimate.ts'
import { placementOf } from '../estimate/placement.ts'
import { evaluateInRun } from './evaluate.ts'
import { peakMemory } from '../estimate/memory.ts'
import { Pruning } from '../pruning/pruning.ts'
import { inRunFolder, type RunFolder } from '../runs/run-folder.ts'
import { StageProgress } from '../runs/stage-progress.ts'
import { adapterValues, prepareTraining, train, type TrainingRun } from '../runs/training-run.ts'
import { densityOf, UnstructuredPruning } from '../pruning/unstructured-pruning.ts'

/**
 * Pruning as LoRAPrune does it (arXiv 2305.18403), by any criterion: fine-tune with LoRA, score, mask step by step or at
 * once, merge, shrink, write, and score the result.
 */
export async function prune(job: PruneJob, context: JobContext): Promise<ResultEvent> {
  const started = performance.now()
  using checkpoint = openCheckpoint(job.checkpoint)
  const target = targetOf(job, checkpoint)
  const { name, threads } = await chooseBackend(job)
  const estimate = estimateJob(job, checkpoint, { target, placement: placementOf(job, checkpoint) })
  context.emit({ type: 'estimate', estimate })
  refuseIfTooLarge(estimate)
  if (job.evaluateDense && !job.evaluation) throw badSetting('evaluateDense', 'say on what: give tasks or perplexity')
  return await inRunFolder(job, context, async (folder) => {
    context.emit({ type: 'started', job, backend: name, threads })
    const dense = job.evaluateDense ? await evaluateInRun(checkpoint, job.evaluation!, 'dense', folder, context) : null
    using run = await prepareTraining(job, checkpoint, folder, context)
    const pruning =
      target.removes === 'weights'
        ? new UnstructuredPruning(job, checkpoint, run, context)
        : new Pruning(job, target, checkpoint, run, folder, context)
    const loss = await train(job, run, folder, context, { ...pruning.hooks, begin: () => pruning.start() })
    if (!existsSync(folder.output)) await write(job, checkpoint, pruning, run, folder, context)
    // What comes now has the memory to itself.
    run[Symbol.dispose]()
    using pruned = openCheckpoint(folder.output)
    const density =
      target.removes === 'weights'
        ? {
            before: densityOf({ config: checkpoint.config, read: pruning.read }),
            after: densityOf({ config: pruned.config, read: (tensor) => pruned.read(tensor) }),
          }
        : null
    const scores = job.evaluation ? await evaluateInRun(pruned, job.evaluation, 'result', folder, context) : {}
    const parameters = {
      before: checkpoint.parameters,
      after: pruned.parameters,
    }
    return {
      type: 'result',
      checkpoint: folder.output,
      parameters,
      ...scores,
      ...(dense ? { dense } : {}),
      ...(density ? { density } : {}),
      loss,
      ...peakMemory(),
      seconds: (performance.now() - started) / 1000,
    }
  })
}

/** Which groups must go, from the ratio or from the number of parameters that is wanted. */
export function targetOf(job: PruneJob, { config, parameters }: Checkpoint): TargetSettings {
  refuseContradictions(job, config)
  // Layers that are ranked together end up with different counts.
  const settings: TargetSettings = {
    ...job,
    removes: criteria[job.criterion].removes,
    addsBiases: job.criterion === 'flap' && job.biasCompensation,
    uniform: job.uniform && job.ranking === 'local',
  }
  const wanted =
    job.targetParameters ?? (job.targetFraction === undefined ? undefined : Math.floor(job.targetFraction * parameters))
  return wanted === undefined ? settings : { ...settings, ratio: ratioForParameters(config, settings, wanted) }
}

function refuseContradictions(job: PruneJob, { layers, family, bias }: ModelConfig): void {
  const { removes } = criteria[job.criterion]
  if (removes === 'weights' && job.schedule === 'iterative')
    throw badSetting('schedule', `${job.criterion} sets weights to zero all at once: use one-shot`)
  if (removes === 'layers' && (bias.output || bias.feedForward))
    throw badSetting('criterion', 'layers of this checkpoint have biases, so that none can be masked away: use another')
  if (job.criterion === 'flap' && job.biasCompensation && family !== 'llama')
    throw badSetting(
      'biasCompensation',
      `a ${family} checkpoint has no place for the biases: use --no-bias-compensation`,
    )
  const grouped = layers.some(({ heads, keyValueHeads }) => heads !== keyValueHeads)
  if (job.headGroups === 'key-value-heads' && layers.some(({ keyValueHeadOf }) => keyValueHeadOf))
    throw badSetting(
      'headGroups',
      'key/value heads of this checkpoint are read by different numbers of query heads: prune it by query-heads',
    )
  if (job.ranking === 'global' && job.headGroups === 'query-heads' && grouped)
    throw badSetting('ranking', 'query heads that share key/value heads are ranked within a layer: use local')
  if (job.criterion === 'movement' && job.reduction === 'product')
    throw badSetting('reduction', 'movement has a sign, so that its product over projections says nothing: use sum')
  if (job.ranking === 'global' && job.channelMultiple > 1)
    throw badSetting('channelMultiple', 'global ranking gives each layer its own count: use local, or a multiple of 1')
}

async function write(
  job: PruneJob,
  checkpoint: Checkpoint,
  { masks, compensation, read }: Pick<Pruning, 'masks' | 'compensation' | 'read'>,
  { adapter }: TrainingRun,
  folder: RunFolder,
  { emit, signal }: JobContext,
): Promise<void> {
  const dtype = job.outputDtype === 'same' ? checkpoint.dtype : job.outputDtype
  const config = shrunkConfig(checkpoint.config, masks, compensation !== null)
  const tensors = shrunkTensors(checkpoint.config, read, masks, adapterValues(adapter), dtype, compensation)
  const writing = new StageProgress('writing', emit)
  await writeCheckpoint(folder.output, {
    config,
    dtype,
    tensors,
    tokenizerFrom: checkpoint.folder,
    signal,
    onProgress: (done, total) => writing.report(done, total),
  })
}
