import { amountText, type Budget, parseBudget, type PruneJob } from '../../contract/index.ts'
import type { Checkpoint } from '../../models/checkpoint.ts'
import type { ModelConfig } from '../../models/model-config.ts'
import { countParameters } from '../../models/tensors.ts'
import { badSetting } from '../../shared/errors.ts'
import { type TargetSettings, withBiases } from '../target-settings.ts'
import { type BudgetTarget, parameterCosts } from './costs.ts'
import { leastReached } from './select.ts'

type BudgetJob = Pick<PruneJob, 'outputDtype'> & { budget: string }
/** What a budget must know of a checkpoint. */
export type BudgetModel = Pick<Checkpoint, 'config' | 'dtype'>

const bytesOf = { float32: 4, float16: 2, bfloat16: 2 } as const

/** Bytes that a parameter takes in what is written. */
export const bytesOfParameter = (
  { outputDtype }: Pick<PruneJob, 'outputDtype'>,
  { dtype }: Pick<Checkpoint, 'dtype'>,
): number => bytesOf[outputDtype === 'same' ? dtype : outputDtype]

/**
 * Settings that meet a job's budget, with what is spent on what.
 *
 * @throws SecateurError with the range that can be met, where the budget is beyond it
 */
export function withBudget(job: BudgetJob, model: BudgetModel, given: TargetSettings): TargetSettings {
  const budget = parseBudget(job.budget)
  const each = budget.measure === 'memory' ? bytesOfParameter(job, model) : 1
  const written: ModelConfig = given.addsBiases ? withBiases(model.config) : model.config
  const costs = parameterCosts(written, given.headGroups, each)
  const before = countParameters(model.config) * each
  const limit = budget.unit === 'share' ? budget.value * before : budget.value
  const least = leastReached(model.config, costs, given)
  const target: BudgetTarget = { measure: budget.measure, each, costs, before, limit, least }
  refuseOutOfRange(job.budget, budget, target, given)
  return { ...given, budget: target, ratio: Math.min(1, (before - limit) / (before - least)) }
}

function refuseOutOfRange(
  text: string,
  budget: Budget,
  { measure, before, limit, least }: BudgetTarget,
  settings: TargetSettings,
): void {
  if (limit < before && limit >= least) return
  const amount = (value: number) => amountText(measure, value)
  const range =
    budget.unit === 'share'
      ? `${(Math.ceil((1e4 * least) / before) / 1e4).toFixed(4)} and 1`
      : `${amount(least)} and ${amount(before)}`
  const keeps = [
    ...(settings.uniform
      ? ['equal numbers in every layer']
      : ['what stays of every layer that does not leave whole (--floor)']),
    ...(settings.uniform || (settings.protectFirst === 0 && settings.protectLast === 0)
      ? []
      : ['the layers that are protected (--protect-first, --protect-last)']),
  ].join(' and ')
  throw badSetting(
    'budget',
    limit < before
      ? `${text} cannot be met: with ${keeps}, ${amount(least)} is the least of ${amount(before)}; a budget between ${range} can`
      : `${text} asks for no less than the checkpoint has, which is ${amount(before)}: a budget between ${range} removes something`,
  )
}
