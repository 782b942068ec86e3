import { resolve } from 'node:path'
import {
  type BudgetMeasure,
  type BudgetPlan,
  isTime,
  type Layer,
  parseBudget,
  type PlanRequest,
  type PlanResult,
  type PruneJob,
  pruneSchema,
} from '../contract/index.ts'
import type { LayerShape, ModelConfig } from '../models/model-config.ts'
import { multiplyAdds } from '../models/multiply-adds.ts'
import { familyOf } from '../models/registry.ts'
import { countParameters } from '../models/tensors.ts'
import { layerTimes } from '../pruning/budget/layer-times.ts'
import { keptImportance, onOneScale } from '../pruning/budget/importance.ts'
import { fitQuality, type Quality } from '../pruning/budget/quality.ts'
import { spend } from '../pruning/budget/select.ts'
import { fullMasks, isEmptyLayer } from '../pruning/groups.ts'
import { targetOf } from '../pruning/job-target.ts'
import { bytesOfParameter, spendingOf } from '../pruning/budget/target.ts'
import { type LayerTimes, timeCosts, timeOf } from '../pruning/budget/time-costs.ts'
import { pruningSnapshot } from '../pruning/snapshot.ts'
import type { TargetSettings } from '../pruning/target-settings.ts'
import type { WorkControl } from '../shared/work-control.ts'
import { withAbsolutePaths } from './absolute-paths.ts'
import { openPlannedRun, type PlannedRun } from './planned-run.ts'

/** Tokens before the one whose multiply-adds are counted. */
const tokensBefore = 512

/**
 * What budgets come to by the scores that a run has kept: nothing is computed again.
 *
 * @throws SecateurError where the run has no scores, or a budget cannot be met, with the range that can
 */
export async function planBudgets(request: PlanRequest, control: WorkControl): Promise<PlanResult> {
  const run = await openPlannedRun(resolve(request.run), control.signal)
  const { job, model, quality } = run
  const { of, points } = quality
  const fitted = fitQuality(points, of)
  const measures = request.budgets.map((budget) => parseBudget(budget).measure)
  const times = request.speed || measures.some(isTime) ? await layerTimes(job, model, control) : null
  const targets = request.budgets.map((budget) => targetOf(plannedJob(job, budget, request), model, times))
  const rangeOf = (measure: BudgetMeasure) => {
    const { least, before } = spendingOf(measure, job, model, targets[0]!, times)
    return { least, most: before }
  }
  const context: PlanContext = { run, times, quality: typeof fitted === 'string' ? null : fitted }
  return {
    type: 'result',
    checkpoint: job.checkpoint,
    dense: {
      parameters: model.parameters,
      bytes: model.parameters * bytesOfParameter(job, model),
      layers: model.config.layers.map(shapeOf),
      times: times && timesOf(model.config, job, times),
    },
    ranges: {
      parameters: rangeOf('parameters'),
      memory: rangeOf('memory'),
      ...(times && { prompt: rangeOf('prompt'), generation: rangeOf('generation') }),
    },
    quality: {
      of,
      points,
      detail: typeof fitted === 'string' ? fitted : fitted.detail,
      isFitted: typeof fitted !== 'string',
    },
    plans: request.budgets.map((budget, i) => planOf(context, budget, targets[i]!)),
  }
}

/** What all budgets of a plan share. */
interface PlanContext {
  run: PlannedRun
  times: LayerTimes | null
  quality: Quality | null
}

/** Milliseconds of a model's prompt and of a token that it generates. */
function timesOf(config: ModelConfig, { headGroups }: PruneJob, times: LayerTimes) {
  const of = (measure: 'prompt' | 'generation') =>
    timeOf(config, timeCosts(config, times[measure]), config.layers, headGroups)
  return { prompt: of('prompt'), generation: of('generation') }
}

/** Settings of a plan beside its budgets. */
type PlanSettings = Omit<PlanRequest, 'run' | 'budgets'>

/**
 * The same as a file to start from, wherever that is done: where it is written is still to be said. Runs of earlier versions
 * keep paths as they were given.
 */
export function jobOfPlan(
  job: PruneJob,
  budget: string,
  settings: Omit<PlanSettings, 'speed'>,
): Omit<PruneJob, 'out' | 'ratio' | 'ratioOf'> {
  const { out: _out, ratio: _ratio, ratioOf: _of, ...planned } = plannedJob(job, budget, settings)
  return withAbsolutePaths(planned)
}

/** The job of a run with a budget in place of its ratio. */
export function plannedJob(
  job: PruneJob,
  budget: string,
  { uniform, protectFirst, protectLast, floor, channelMultiple }: Omit<PlanSettings, 'speed'>,
): PruneJob {
  const { targetFraction: _fraction, targetParameters: _parameters, ratio: _ratio, ratioOf: _of, ...others } = job
  return {
    ...others,
    ratio: pruneSchema.shape.ratio.def.defaultValue,
    ratioOf: 'groups',
    ranking: 'auto',
    budget,
    uniform,
    ...(protectFirst !== undefined && { protectFirst }),
    ...(protectLast !== undefined && { protectLast }),
    ...(floor !== undefined && { floor }),
    ...(channelMultiple !== undefined && { channelMultiple }),
  }
}

function planOf({ run, times, quality }: PlanContext, budget: string, target: TargetSettings): BudgetPlan {
  const { job, scores, step } = run
  const { config, parameters } = run.model
  const importance = onOneScale(config, scores, target)
  const masks = spend(config, fullMasks(config, target.headGroups), importance, target.budget!, target)
  const layers = config.layers.map((shape, layer) =>
    isEmptyLayer(masks[layer]!) ? null : familyOf(config).shrinkLayer(config, shape, masks[layer]!).shape,
  )
  const after: ModelConfig = { ...config, layers: layers.filter((shape) => shape !== null) }
  const left = countParameters(after)
  const kept = keptImportance(importance, masks)
  return {
    budget,
    parameters: left,
    bytes: left * bytesOfParameter(job, run.model),
    speedUp: multiplyAdds(config, tokensBefore) / multiplyAdds(after, tokensBefore),
    times: times && timesOf(after, job, times),
    kept,
    loss: quality && quality.rise(1 - kept),
    layers: layers.map((shape) => shape && shapeOf(shape)),
    snapshot: pruningSnapshot(step, 1 - left / parameters, scores, masks),
  }
}

const shapeOf = ({ heads, keyValueHeads, channels, keyValueHeadOf }: LayerShape): Layer => ({
  heads,
  keyValueHeads,
  channels,
  ...(keyValueHeadOf && { keyValueHeadOf }),
})
