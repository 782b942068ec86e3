import { chooseBackend } from '../backends/choose.ts'
import { timesForBudget } from '../pruning/budget/layer-times.ts'
import type { Estimate, Job, JobEstimate } from '../contract/index.ts'
import { checkAdapter } from '../lora/peft.ts'
import { readAdapter } from '../lora/read-peft.ts'
import { openCheckpoint } from '../models/checkpoint.ts'
import { targetOf } from '../pruning/job-target.ts'
import { headCountWarnings } from '../pruning/planned.ts'
import { layersAfter } from '../pruning/targets.ts'
import { pruningWarnings } from '../pruning/warnings.ts'
import { checkPlace } from '../export/place.ts'
import { exportChoices } from '../export/size.ts'
import { SecateurError } from '../shared/errors.ts'
import type { WorkControl } from '../shared/work-control.ts'
import { forModel } from '../training/job-for-model.ts'
import { estimateJob, refuseIfTooLarge } from './estimate.ts'
import { jobWarnings } from './job-warnings.ts'
import { placementOf } from './placement.ts'
import { timeOf } from './time.ts'
import type { SingleJob } from './work.ts'

/** What one job leaves, needs and takes on this computer. @throws SecateurError as the job itself would */
export async function estimateSingleJob(
  given: SingleJob,
  control: WorkControl,
  releasableBytes = 0,
): Promise<JobEstimate> {
  using checkpoint = openCheckpoint(given.checkpoint, 'imageSize' in given ? given.imageSize : undefined)
  const trains = given.kind === 'finetune' || given.kind === 'prune'
  const job: SingleJob = trains ? forModel(given, checkpoint.config) : given
  if (job.kind === 'export') checkPlace(job)
  if ('adapter' in job && job.adapter !== undefined) checkAdapter(readAdapter(job.adapter), checkpoint.config)
  const times = job.kind === 'prune' ? await timesForBudget(job, checkpoint, control) : null
  const target = job.kind === 'prune' ? targetOf(job, checkpoint, times) : undefined
  const choice = job.kind === 'merge' || job.kind === 'export' ? null : await chooseBackend(job)
  const placement = placementOf(job, checkpoint)
  const known = estimateJob(job, checkpoint, { target, placement, heldBytes: releasableBytes })
  const layers = target ? layersAfter(checkpoint.config, target) : checkpoint.config.layers
  const secondsPerPass = placement?.secondsPerPass ?? 0
  const time = await timeOf(job, checkpoint, layers, choice && { ...choice, secondsPerPass }, control)
  const { config } = checkpoint
  const pruning =
    job.kind === 'prune' && target
      ? [...pruningWarnings(job, config, target), ...headCountWarnings(job, config, target)]
      : []
  const warnings = [...(await jobWarnings(job, checkpoint)), ...pruning]
  return {
    ...known,
    layersAfter: layers,
    ...time,
    ...(job.kind === 'export' && { export: exportChoices(job, checkpoint) }),
    ...fitOf(known, warnings, job.kind),
  }
}

/** Whether the job is refused for its size, and what a person should know before starting it. */
export function fitOf(
  known: Estimate,
  warnings: readonly string[],
  kind: Job['kind'] | 'parts',
): Pick<JobEstimate, 'fits' | 'warnings'> {
  try {
    refuseIfTooLarge(known, kind)
  } catch (error) {
    if (!(error instanceof SecateurError)) throw error
    return { fits: false, warnings: [error.message, ...warnings] }
  }
  const tight: string[] = []
  if (known.memoryBytes > 0.8 * known.freeMemoryBytes)
    tight.push(
      'Memory will be tight: other programs may be pushed out of it. A smaller batch size or a shorter sequence length needs less.',
    )
  if (known.diskBytes > 0.8 * known.freeDiskBytes) tight.push('The disk will be almost full.')
  return { fits: true, warnings: [...tight, ...warnings] }
}
