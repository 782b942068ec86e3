import { resolve } from 'node:path'
import {
  type BudgetPlan,
  type Layer,
  type PlanRequest,
  type PlanResult,
  type PruneJob,
  pruneSchema,
} from '../contract/index.ts'
import type { LayerShape, ModelConfig } from '../models/model-config.ts'
import { multiplyAdds } from '../models/multiply-adds.ts'
import { familyOf } from '../models/registry.ts'
import { countParameters } from '../models/tensors.ts'
import { keptImportance, onOneScale } from '../pruning/budget/importance.ts'
import { fitQuality, type Quality } from '../pruning/budget/quality.ts'
import { spend } from '../pruning/budget/select.ts'
import { fullMasks, isEmptyLayer } from '../pruning/groups.ts'
import { targetOf } from '../pruning/job-target.ts'
import { bytesOfParameter } from '../pruning/budget/target.ts'
import { pruningSnapshot } from '../pruning/snapshot.ts'
import type { TargetSettings } from '../pruning/target-settings.ts'
import type { WorkControl } from '../shared/work-control.ts'
import { openPlannedRun, type PlannedRun } from './planned-run.ts'

/** Tokens before the one whose multiply-adds are counted. */
const context = 512

/**
 * What budgets come to by the scores that a run has kept: nothing is computed again.
 *
 * @throws SecateurError where the run has no scores, or a budget cannot be met, with the range that can
 */
export async function planBudgets(request: PlanRequest, { signal }: Pick<WorkControl, 'signal'>): Promise<PlanResult> {
  const run = await openPlannedRun(resolve(request.run), signal)
  const { model, quality } = run
  const { of, points } = quality
  const fitted = fitQuality(points, of)
  const each = bytesOfParameter(run.job, model)
  const targets = request.budgets.map((budget) => targetOf(plannedJob(run.job, budget, request), model))
  const { budget: first } = targets[0]!
  const least = first!.least / first!.each
  return {
    type: 'result',
    checkpoint: run.job.checkpoint,
    dense: { parameters: model.parameters, bytes: model.parameters * each, layers: model.config.layers.map(shapeOf) },
    ranges: {
      parameters: { least, most: model.parameters },
      memory: { least: least * each, most: model.parameters * each },
    },
    quality: {
      of,
      points,
      detail: typeof fitted === 'string' ? fitted : fitted.detail,
      isFitted: typeof fitted !== 'string',
    },
    plans: request.budgets.map((budget, i) =>
      planOf(run, budget, targets[i]!, each, typeof fitted === 'string' ? null : fitted),
    ),
  }
}

/** Settings of a plan beside its budgets. */
type PlanSettings = Omit<PlanRequest, 'run' | 'budgets'>

/** The same as a file to start from: where it is written is still to be said. */
export function jobOfPlan(
  job: PruneJob,
  budget: string,
  settings: PlanSettings,
): Omit<PruneJob, 'out' | 'ratio' | 'ratioOf'> {
  const { out: _out, ratio: _ratio, ratioOf: _of, ...planned } = plannedJob(job, budget, settings)
  return planned
}

/** The job of a run with a budget in place of its ratio. */
export function plannedJob(
  job: PruneJob,
  budget: string,
  { uniform, protectFirst, protectLast, floor, channelMultiple }: PlanSettings,
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

function planOf(
  { model: { config, parameters }, scores, step }: PlannedRun,
  budget: string,
  target: TargetSettings,
  each: number,
  quality: Quality | null,
): BudgetPlan {
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
    bytes: left * each,
    speedUp: multiplyAdds(config, context) / multiplyAdds(after, context),
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
