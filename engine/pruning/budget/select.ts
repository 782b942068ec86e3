import { kinds } from '../../models/family.ts'
import type { ModelConfig } from '../../models/model-config.ts'
import { fullMasks, type GroupMasks } from '../groups.ts'
import type { LayerScores } from '../scores.ts'
import type { TargetSettings } from '../target-settings.ts'
import { leastCost } from './choices.ts'
import type { BudgetTarget, Costs } from './costs.ts'
import { onOneScale } from './importance.ts'
import { offersOf } from './offers.ts'
import { solve } from './solve.ts'
import { leastUniform, solveUniform } from './uniform.ts'

/**
 * The masks that keep most importance within a budget.
 *
 * @param sparsity fraction of what may leave that must be gone: the setting's ratio once the budget is met
 */
export function selectWithinBudget(
  config: ModelConfig,
  masks: GroupMasks,
  scores: readonly LayerScores[],
  sparsity: number,
  settings: TargetSettings,
  { costs, before, limit }: BudgetTarget,
): GroupMasks {
  const share = Math.min(1, sparsity / settings.ratio)
  const importance = onOneScale(config, scores, settings)
  const end = spend(config, masks, importance, { costs, limit }, settings)
  // On the way nothing leaves that is to stay in the end: where heads leave in twos, small steps would never come to them.
  return share === 1
    ? end
    : spend(config, masks, importance, { costs, limit: before - share * (before - limit) }, settings, end)
}

/**
 * The same by importance that is on one scale already.
 *
 * @param end what stays whatever the limit would allow
 * @throws RangeError where the budget cannot be met
 */
export function spend(
  config: ModelConfig,
  masks: GroupMasks,
  importance: readonly LayerScores[],
  { costs, limit }: Pick<BudgetTarget, 'costs' | 'limit'>,
  settings: TargetSettings,
  end?: GroupMasks,
): GroupMasks {
  const offers = offersOf(config, masks, importance, costs, settings, end)
  const layers = offers.map(({ choices }) => choices)
  const { choices } = settings.uniform ? solveUniform(layers, limit - costs.fixed) : solve(layers, limit - costs.fixed)
  const next = masks.map(({ heads, channels }) => ({ heads: heads.slice(), channels: channels.slice() }))
  for (const [
    i,
    {
      layer,
      choices: { heads, channels },
      order,
    },
  ] of offers.entries()) {
    const choice = choices[i]!
    for (const kind of kinds) {
      const mask = next[layer]![kind]
      const kept = choice === null ? 0 : { heads, channels }[kind].kept[choice[kind]]!
      for (const group of order[kind].slice(0, mask.length - kept)) mask[group] = 0
    }
  }
  return next
}

/** The least that a model can cost with what the settings keep. */
export function leastReached(config: ModelConfig, costs: Costs, settings: TargetSettings): number {
  const masks = fullMasks(config, settings.headGroups)
  // Groups of equal scores are worth their parameters: the heaviest layer counts as the one that is always left.
  const flat = onOneScale(
    config,
    scoresOf(masks, () => 1),
    { ...settings, comparable: false },
  )
  const layers = offersOf(config, masks, flat, costs, settings).map(({ choices }) => choices)
  return costs.fixed + (settings.uniform ? leastUniform(layers) : leastCost(layers))
}

/**
 * What a budget leaves while no scores are known yet: as if they rose evenly through the groups of each kind of every layer,
 * so that all of them give alike.
 */
export function nominalMasks(config: ModelConfig, settings: TargetSettings, budget: BudgetTarget): GroupMasks {
  const known = nominal.get(budget)
  if (known) return known
  const masks = fullMasks(config, settings.headGroups)
  const rising = scoresOf(masks, (group) => group + 1)
  const importance = onOneScale(config, rising, { ...settings, comparable: false })
  const spent = spend(config, masks, importance, budget, settings)
  nominal.set(budget, spent)
  return spent
}

/** An estimate asks several times for the same. */
const nominal = new WeakMap<BudgetTarget, GroupMasks>()

const scoresOf = (masks: GroupMasks, score: (group: number) => number): LayerScores[] =>
  masks.map(({ heads, channels }) => ({
    heads: Float32Array.from(heads, (_, group) => score(group)),
    channels: Float32Array.from(channels, (_, group) => score(group)),
  }))
