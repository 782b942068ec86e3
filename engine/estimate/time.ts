import { type Choice, chooseBackend } from '../backends/choose.ts'
import { measureSpeed } from '../backends/speed.ts'
import { criterionName, type JobEstimate, type Layer, type PruneJob } from '../contract/index.ts'
import { exportSeconds } from '../export/size.ts'
import { type Checkpoint, configOf } from '../models/checkpoint.ts'
import type { WorkControl } from '../shared/work-control.ts'
import type { SingleJob } from './work.ts'
import { forwardOperations, stepOperations } from './operations.ts'
import { scoringBytes, scoringOperations } from './scoring-cost.ts'
import { selfDataPasses, selfDataTokens } from './self-data.ts'
import { scoredTokens, stepsOf, validationTokens } from './tokens.ts'

type Time = Pick<JobEstimate, 'seconds' | 'secondsFrom' | 'scoring'>

/** Part of the speed of bare products that a step or a forward pass reaches: measured on models of width 288 and 768. */
const efficiency = 0.6
/** Seconds that a layer costs in every step beside its arithmetic, and that a job takes to start. */
const secondsPerLayer = 0.01
const startSeconds = 3
/** Bytes a second at which weights are read, merged and written. */
const diskSpeed = 200e6

/**
 * How long a job takes, from its operations and the measured speed of the device.
 *
 * @param layers of the model after the job
 * @param choice the back end that computes; null for a job that needs none
 */
export async function timeOf(
  job: SingleJob,
  checkpoint: Checkpoint,
  layers: Layer[],
  choice: (Choice & { secondsPerPass: number }) | null,
  control: WorkControl,
): Promise<Time> {
  const { config, bytes } = checkpoint
  if (job.kind === 'export')
    return {
      seconds: startSeconds + exportSeconds(job, checkpoint),
      secondsFrom: 'From the number of weights.',
      scoring: null,
    }
  const moved = (job.kind === 'merge' || job.kind === 'prune' ? 2 * bytes : bytes) / diskSpeed
  if (job.kind === 'merge' || !choice)
    return { seconds: startSeconds + moved, secondsFrom: 'From the size of the checkpoint.', scoring: null }

  const after = { ...config, layers }
  const evaluation = 'evaluation' in job ? job.evaluation : undefined
  const scored = evaluation ? await scoredTokens(evaluation, config.maxPositions, control) : 0
  const window = config.patchValues === undefined ? (evaluation?.window ?? 0) : config.maxPositions
  let operations = scored * forwardOperations(after, window)
  if (job.kind === 'prune' && job.evaluateDense) operations += scored * forwardOperations(config, window)
  if (job.kind === 'evaluate' && job.compareWith !== undefined)
    operations += scored * forwardOperations(configOf(job.compareWith), window)
  let steps = 0
  let seconds = startSeconds + moved
  let passes = evaluation ? scored / evaluation.batchTokens : 0
  let guessed = scored > 0
  if (job.kind !== 'evaluate') {
    // What is removed at once and not healed is not trained.
    const isTrained = job.kind === 'finetune' || job.healing || job.schedule === 'iterative'
    steps = isTrained ? (job.steps ?? (await stepsOf(job, control))) : 0
    guessed ||= isTrained && job.steps === undefined
    const measured = await validationTokens(job, control)
    operations +=
      (Math.floor(steps / job.validationEvery) + 1) * measured * forwardOperations(config, job.sequenceLength)
    operations += steps * stepOperations(job, config)
    passes += steps * job.gradientAccumulation * 2
    const written = selfDataPasses(job, checkpoint)
    operations += selfDataTokens(job) * forwardOperations(config, job.selfDataTokens)
    passes += written.passes
    seconds += written.seconds
    if (job.kind === 'prune') operations += scoringOperations(job, config, steps, job.ratio)
  }
  const gigaflops = await measureSpeed(choice.name, choice, () => chooseBackend({ ...job, device: choice.name }))
  const secondsOf = (count: number) => count / (gigaflops * 1e9 * efficiency)
  const scoring = job.kind === 'prune' ? scoringCosts(job, checkpoint, steps, secondsOf) : null
  return {
    scoring,
    seconds:
      seconds + secondsOf(operations) + steps * config.layers.length * secondsPerLayer + passes * choice.secondsPerPass,
    secondsFrom:
      `From ${(operations / 1e12).toPrecision(2)} trillion operations at ${Math.round(gigaflops * efficiency)} billion a ` +
      `second, ${Math.round(100 * efficiency)} % of the measured speed of ${choice.device}.` +
      (guessed ? ' How many tokens there are is told from the first rows of the data.' : ''),
  }
}

/** What scoring would cost by each criterion, all else being as the job says. */
function scoringCosts(
  job: PruneJob,
  { config }: Checkpoint,
  steps: number,
  secondsOf: (operations: number) => number,
): NonNullable<JobEstimate['scoring']> {
  const costs = criterionName.options.map((criterion) => {
    const other = { ...job, criterion }
    const seconds = secondsOf(scoringOperations(other, config, steps, job.ratio))
    return [criterion, { memoryBytes: scoringBytes(other, config), seconds }]
  })
  return Object.fromEntries(costs) as NonNullable<JobEstimate['scoring']>
}
