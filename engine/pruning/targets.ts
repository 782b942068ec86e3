import { type Kind, kinds } from '../models/family.ts'
import type { LayerShape, ModelConfig } from '../models/model-config.ts'
import { countParameters } from '../models/tensors.ts'
import { familyOf } from '../models/registry.ts'
import { badSetting } from '../shared/errors.ts'
import type { BudgetTarget } from './budget/costs.ts'
import { nominalMasks } from './budget/select.ts'
import { groupCount, isEmptyLayer, parametersPerGroup } from './groups.ts'
import { countsByParameters } from './parameter-counts.ts'
import { countOf, isPruned, keptByFloor, queryHeadStep, type TargetSettings, withBiases } from './target-settings.ts'

export {
  isPruned,
  keptByFloor,
  queryHeadRuns,
  queryHeadStep,
  type TargetSettings,
  withBiases,
} from './target-settings.ts'

/** How many groups of a kind leave each layer when `ratio` of them must go; the sum is what counts under global ranking. */
export function removalCounts(config: ModelConfig, kind: Kind, settings: TargetSettings, ratio: number): number[] {
  if (settings.counts === 'parameters') return countsByParameters(config, settings, ratio)[kind]
  return config.layers.map((shape, layer) => {
    if (settings.keeps?.includes(kind) || !isPruned(config, layer, settings)) return 0
    const groups = groupCount(config, layer, kind, settings.headGroups)
    // Per key/value head, so that all of them keep equally many query heads.
    const step = queryHeadStep(shape, kind, settings)
    const removed = countOf(groups, ratio, settings.rounding, step)
    return Math.min(removed, mostRemoved(shape, groups, kind, settings))
  })
}

/** Groups that may leave a layer in the end: rounding of channels and at least one group are kept. */
function mostRemoved(shape: LayerShape, groups: number, kind: Kind, settings: TargetSettings): number {
  const step = queryHeadStep(shape, kind, settings)
  const final = countOf(groups, settings.ratio, 'down', step)
  const multiple = kind === 'channels' ? settings.channelMultiple : step
  const kept = Math.max(multiple, Math.ceil((groups - final) / multiple) * multiple)
  return Math.max(0, groups - kept)
}

/**
 * How many groups of a kind leave each layer in the end. Under global ranking the sum alone is certain, and what every layer
 * keeps limits it.
 */
export function finalCounts(config: ModelConfig, kind: Kind, settings: TargetSettings): number[] {
  const counts = removalCounts(config, kind, settings, settings.ratio)
  // By parameters, what layers keep is counted already.
  if (settings.ranking === 'local' || settings.counts === 'parameters') return counts
  const most = counts.map((_, layer) => {
    if (settings.keeps?.includes(kind) || !isPruned(config, layer, settings)) return 0
    const groups = groupCount(config, layer, kind, settings.headGroups)
    return groups - keptByFloor(groups, settings)
  })
  let beyond = counts.reduce((sum, count, layer) => sum + Math.max(0, count - most[layer]!), 0)
  // What a layer may not lose leaves others, as long as they may lose more.
  return counts.map((count, layer) => {
    const more = Math.min(beyond, Math.max(0, most[layer]! - count))
    beyond -= more
    return Math.min(count, most[layer]!) + more
  })
}

/** How many whole layers leave when `ratio` of those that are pruned must go; one is always left. */
export function layersRemoved(config: ModelConfig, settings: TargetSettings, ratio: number): number {
  const pruned = config.layers.filter((_, layer) => isPruned(config, layer, settings)).length
  const whole =
    settings.counts === 'parameters'
      ? Math.ceil(pruned * settings.ratio - 1e-9)
      : countOf(pruned, settings.ratio, 'down')
  const final = Math.min(whole, config.layers.length - 1)
  return ratio >= settings.ratio ? final : Math.min(countOf(pruned, ratio, settings.rounding), final)
}

/**
 * What a run will leave: exact, since layers and groups of a kind weigh the same in a model not pruned before; within a budget
 * to what a channel weighs.
 */
export function estimateParameters(config: ModelConfig, settings: TargetSettings): { before: number; after: number } {
  const before = countParameters(config)
  if (settings.removes === 'weights') return { before, after: before }
  const written = settings.addsBiases ? withBiases(config) : config
  if (settings.budget) return { before, after: countParameters({ ...written, layers: layersAfter(config, settings) }) }
  if (settings.removes === 'layers') {
    const kept = config.layers.slice(layersRemoved(config, settings, settings.ratio))
    return { before, after: countParameters({ ...config, layers: kept }) }
  }
  let removed = 0
  for (const kind of kinds) {
    const counts = finalCounts(config, kind, settings)
    for (const layer of config.layers.keys())
      removed += counts[layer]! * parametersPerGroup(written, layer, kind, settings.headGroups)
  }
  return { before, after: countParameters(written) - removed }
}

/** Layers that a run will leave. Under global ranking the layers will differ; these are as if all lost the same. */
export function layersAfter(config: ModelConfig, settings: TargetSettings): LayerShape[] {
  if (settings.removes === 'weights') return config.layers
  if (settings.budget) return layersWithin(config, settings, settings.budget)
  if (settings.removes === 'layers') return config.layers.slice(layersRemoved(config, settings, settings.ratio))
  const heads = finalCounts(config, 'heads', settings)
  const channels = finalCounts(config, 'channels', settings)
  return config.layers.map((shape, layer) => {
    const wholeGroups = settings.headGroups === 'key-value-heads'
    const left = groupCount(config, layer, 'heads', settings.headGroups) - heads[layer]!
    return {
      ...shape,
      heads: wholeGroups ? left * (shape.heads / shape.keyValueHeads) : left,
      keyValueHeads: wholeGroups || shape.heads === shape.keyValueHeads ? left : shape.keyValueHeads,
      channels: shape.channels - channels[layer]!,
    }
  })
}

function layersWithin(config: ModelConfig, settings: TargetSettings, budget: BudgetTarget): LayerShape[] {
  const masks = nominalMasks(config, settings, budget)
  return config.layers.flatMap((shape, layer) =>
    isEmptyLayer(masks[layer]!) ? [] : [familyOf(config).shrinkLayer(config, shape, masks[layer]!).shape],
  )
}

/**
 * The ratio of groups that leaves at most `target` parameters, found by halving.
 *
 * @throws SecateurError where even the largest ratio leaves more.
 */
export function ratioForParameters(config: ModelConfig, settings: TargetSettings, target: number): number {
  if (settings.removes === 'weights')
    throw badSetting('targetParameters', 'single weights become zero and stay in the file: say a ratio')
  const removable =
    settings.removes === 'layers' ? 'layers' : kinds.filter((kind) => !settings.keeps?.includes(kind)).join(' and ')
  const after = (ratio: number) => estimateParameters(config, { ...settings, ratio }).after
  let low = 0
  let high = 0.95
  if (after(high) > target)
    throw badSetting(
      'targetParameters',
      `${target} parameters cannot be reached by removing ${removable}: at 95% of them ${after(high)} are left${settings.ranking === 'global' ? ', with what --floor keeps in every layer' : ''}`,
    )
  for (let i = 0; i < 40; i++) {
    const middle = (low + high) / 2
    if (after(middle) <= target) high = middle
    else low = middle
  }
  return high
}
