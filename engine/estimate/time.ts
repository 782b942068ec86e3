import { type Choice, chooseBackend } from '../backends/choose.ts'
import { measureSpeed } from '../backends/speed.ts'
import { criterionName, type JobEstimate, type Layer, type PruneJob } from '../contract/index.ts'
import type { Checkpoint } from '../models/checkpoint.ts'
import type { WorkControl } from '../shared/work-control.ts'
import type { SingleJob } from './work.ts'
import { workOf } from './phase-work.ts'
import { scoringBytes, scoringOperations } from './scoring-cost.ts'

type Time = Pick<JobEstimate, 'seconds' | 'secondsFrom' | 'scoring'>

/** Part of the speed of bare products that a step or a forward pass reaches: measured on models of width 288 and 768. */
const efficiency = 0.6
/** Seconds that a job takes to start. */
const startSeconds = 3

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
  const secondsPerPass = choice?.secondsPerPass ?? 0
  const { phases, steps, guessed } = await workOf(job, checkpoint, { layers, secondsPerPass }, control)
  const works = Object.values(phases)
  const seconds = works.reduce((sum, work) => sum + work.seconds, startSeconds)
  if (job.kind === 'export') return { seconds, secondsFrom: 'From the number of weights.', scoring: null }
  if (job.kind === 'merge' || !choice)
    return { seconds, secondsFrom: 'From the size of the checkpoint.', scoring: null }

  const operations = works.reduce((sum, work) => sum + work.operations, 0)
  const gigaflops = await measureSpeed(choice.name, choice, () => chooseBackend({ ...job, device: choice.name }))
  const secondsOf = (count: number) => count / (gigaflops * 1e9 * efficiency)
  const scoring = job.kind === 'prune' ? scoringCosts(job, checkpoint, steps, secondsOf) : null
  return {
    scoring,
    seconds: seconds + secondsOf(operations),
    secondsFrom:
      `From ${operationsText(operations)} operations at ${Math.round(gigaflops * efficiency)} billion a ` +
      `second, ${Math.round(100 * efficiency)}% of the measured speed of ${choice.device}.` +
      (guessed ? ' How many tokens there are is told from the first rows of the data.' : ''),
  }
}

function operationsText(count: number): string {
  const [size, name] =
    count >= 1e11
      ? ([1e12, ' trillion'] as const)
      : count >= 1e8
        ? ([1e9, ' billion'] as const)
        : ([1e6, ' million'] as const)
  return `${(count / size).toPrecision(2)}${name}`
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
