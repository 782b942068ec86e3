import { bytesPerValue } from '../../checkpoint/safetensors-header.ts'
import { amountText, type Budget, isTime, parseBudget, type PruneJob } from '../../contract/index.ts'
import type { Checkpoint } from '../../models/checkpoint.ts'
import type { ModelConfig } from '../../models/model-config.ts'
import { countParameters } from '../../models/tensors.ts'
import { badSetting } from '../../shared/errors.ts'
import { type TargetSettings, withBiases } from '../target-settings.ts'
import { boundsOf, limitOf } from './bounds.ts'
import { type BudgetTarget, parameterCosts } from './costs.ts'
import { leastReached } from './select.ts'
import { type LayerTimes, timeCosts, timeOf } from './time-costs.ts'

type BudgetJob = Pick<PruneJob, 'outputDtype'> & { budget: string }
/** What a budget must know of a checkpoint. */
export type BudgetModel = Pick<Checkpoint, 'config' | 'dtype'>

/** Bytes that a parameter takes in what is written. */
export const bytesOfParameter = (
  { outputDtype }: Pick<PruneJob, 'outputDtype'>,
  { dtype }: Pick<Checkpoint, 'dtype'>,
): number => bytesPerValue(outputDtype === 'same' ? dtype : outputDtype)

/**
 * Settings that meet a job's budget, with what is spent on what.
 *
 * @param times what layers take on the device; only budgets of time ask for it
 * @throws SecateurError with the range that can be met, where the budget is beyond it
 */
export function withBudget(
  job: BudgetJob,
  model: BudgetModel,
  given: TargetSettings,
  times: LayerTimes | null,
): TargetSettings {
  const budget = parseBudget(job.budget)
  const { before, least, ...spending } = spendingOf(budget.measure, job, model, given, times)
  const limit = limitOf(budget, before)
  const target: BudgetTarget = { measure: budget.measure, before, limit, least, ...spending }
  refuseOutOfRange(job.budget, budget, target, given)
  return { ...given, budget: target, ratio: Math.min(1, (before - limit) / (before - least)) }
}

/** What a model costs in a measure, and the least that it can be brought to. */
export function spendingOf(
  measure: Budget['measure'],
  job: Pick<PruneJob, 'outputDtype'>,
  model: BudgetModel,
  given: TargetSettings,
  times: LayerTimes | null,
): Omit<BudgetTarget, 'measure' | 'limit'> {
  const { config } = model
  const spending = isTime(measure)
    ? spentInTime(config, given, measure, times)
    : spentInParameters(config, given, measure === 'memory' ? bytesOfParameter(job, model) : 1)
  return {
    ...spending,
    before: spending.spent({ layers: config.layers, parameters: countParameters(config) }),
    least: leastReached(config, spending.costs, given),
  }
}

type Spending = Pick<BudgetTarget, 'costs' | 'spent'>

function spentInParameters(config: ModelConfig, given: TargetSettings, each: number): Spending {
  const written = given.addsBiases ? withBiases(config) : config
  return { costs: parameterCosts(written, given.headGroups, each), spent: ({ parameters }) => parameters * each }
}

/** @throws RangeError where nothing was measured */
function spentInTime(
  config: ModelConfig,
  { headGroups }: TargetSettings,
  measure: 'prompt' | 'generation',
  times: LayerTimes | null,
): Spending {
  if (times === null) throw new RangeError(`a budget of ${measure} needs the times of layers on the device`)
  const costs = timeCosts(config, times[measure])
  return { costs, spent: ({ layers }) => timeOf(config, costs, layers, headGroups) }
}

function refuseOutOfRange(
  text: string,
  budget: Budget,
  { measure, before, limit, least }: BudgetTarget,
  settings: TargetSettings,
): void {
  if (limit < before && limit >= least) return
  const [bounds, amounts] = [budget.unit, 'amount' as const].map((unit) =>
    boundsOf({ measure, unit }, { before, least }),
  )
  const keeps = [
    ...(settings.uniform
      ? ['equal numbers in every layer']
      : ['what stays of every layer that does not leave whole (--floor)']),
    ...(settings.uniform || (settings.protectFirst === 0 && settings.protectLast === 0)
      ? []
      : ['the layers that are protected (--protect-first, --protect-last)']),
  ].join(' and ')
  const has = amountText(measure, before)
  if (!bounds || !amounts)
    throw badSetting('budget', `${text} cannot be met: with ${keeps}, nothing of ${has} can leave`)
  const range = `between ${bounds.least} and ${bounds.most}`
  throw badSetting(
    'budget',
    limit < before
      ? `${text} cannot be met: with ${keeps}, ${amountText(measure, parseBudget(amounts.least).value)} is the least of ${has}; a budget ${range} can`
      : `${text} asks for no less than the checkpoint has, which is ${has}: a budget ${range} removes something`,
  )
}
