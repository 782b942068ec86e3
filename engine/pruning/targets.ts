import { type HeadGroups, type Kind, kinds } from '../models/family.ts'
import type { LayerShape, ModelConfig } from '../models/model-config.ts'
import { familyOf } from '../models/registry.ts'
import { countParameters } from '../models/tensors.ts'
import { badSetting } from '../shared/errors.ts'
import { groupCount, parametersPerGroup } from './groups.ts'

export interface TargetSettings {
  /** Heads and channels, whole layers, or single weights. */
  removes: 'groups' | 'layers' | 'weights'
  /** Whether all linear layers get biases, for what removed groups gave on average. */
  addsBiases: boolean
  /** Kinds of groups that stay whole in every layer. */
  keeps?: readonly Kind[]
  /** Fraction of groups (layers, weights) to remove from the layers that are pruned. */
  ratio: number
  headGroups: HeadGroups
  /** Same counts in every layer and no layer protected: the result is a stock config that other programs load. */
  uniform: boolean
  /** Fraction of the layers, from the first, that stay whole (rounded down); not with `uniform`. */
  protectFirst: number
  /** Number of layers, from the last, that stay whole; not with `uniform`. */
  protectLast: number
  /** Channels kept are a multiple of this where the layer has that many. */
  channelMultiple: number
  /** `local`: every layer loses the same fraction. `global`: groups of all layers are ranked together. */
  ranking: 'local' | 'global'
  /** Whether scores of different layers are on one scale already. */
  comparable?: boolean
  /** Fraction of its groups that a layer keeps at least, under global ranking. */
  floor: number
  /**
   * How the schedule's fraction becomes a number of groups on the way; in the end it is always rounded down. Rounded down
   * throughout, as in the published code, the last group of a layer leaves at the last selection, which is nothing where
   * there are thousands and a shock that nothing heals where there are four.
   */
  rounding: 'down' | 'nearest'
}

/** Groups that are a fraction of a number of them, in whole steps. */
function countOf(groups: number, ratio: number, rounding: TargetSettings['rounding'], step = 1): number {
  // A fraction that is a hair short of a whole number of groups is that number.
  const exact = (groups * ratio + 1e-9) / step
  return Math.floor(rounding === 'nearest' ? exact + 0.5 : exact) * step
}

/** Whether a layer may lose groups. */
export function isPruned(config: ModelConfig, layer: number, settings: TargetSettings): boolean {
  if (settings.uniform) return true
  const count = config.layers.length
  return layer >= Math.floor(settings.protectFirst * count) && layer < count - settings.protectLast
}

/** How many groups of a kind leave each layer when `ratio` of them must go; the sum is what counts under global ranking. */
export function removalCounts(config: ModelConfig, kind: Kind, settings: TargetSettings, ratio: number): number[] {
  return config.layers.map((shape, layer) => {
    if (settings.keeps?.includes(kind) || !isPruned(config, layer, settings)) return 0
    const groups = groupCount(config, layer, kind, settings.headGroups)
    // Per key/value head, so that all of them keep equally many query heads.
    const step = queryHeadStep(shape, kind, settings)
    const removed = countOf(groups, ratio, settings.rounding, step)
    return Math.min(removed, mostRemoved(shape, groups, kind, settings))
  })
}

/** Query heads that leave at once where key/value heads stay and must keep equally many each. */
export const queryHeadStep = (shape: LayerShape, kind: Kind, { headGroups }: TargetSettings) =>
  kind === 'heads' && headGroups === 'query-heads' && shape.heads !== shape.keyValueHeads && !shape.keyValueHeadOf
    ? shape.keyValueHeads
    : 1

/** Groups that may leave a layer in the end: rounding of channels and at least one group are kept. */
function mostRemoved(shape: LayerShape, groups: number, kind: Kind, settings: TargetSettings): number {
  const step = queryHeadStep(shape, kind, settings)
  const final = countOf(groups, settings.ratio, 'down', step)
  const multiple = kind === 'channels' && settings.channelMultiple <= groups ? settings.channelMultiple : step
  const kept = Math.max(multiple, Math.ceil((groups - final) / multiple) * multiple)
  return Math.max(0, groups - kept)
}

/** Groups that a layer keeps at least, under global ranking. */
export const keptByFloor = (groups: number, { floor }: TargetSettings): number => Math.max(1, Math.ceil(groups * floor))

/**
 * How many groups of a kind leave each layer in the end. Under global ranking the sum alone is certain, and what every layer
 * keeps limits it.
 */
export function finalCounts(config: ModelConfig, kind: Kind, settings: TargetSettings): number[] {
  const counts = removalCounts(config, kind, settings, settings.ratio)
  if (settings.ranking === 'local') return counts
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
  const final = Math.min(countOf(pruned, settings.ratio, 'down'), config.layers.length - 1)
  return Math.min(countOf(pruned, ratio, settings.rounding), final)
}

/**
 * The config of a model whose linear layers all have biases.
 *
 * @throws RangeError where the family's config.json cannot say so
 */
export function withBiases(config: ModelConfig): ModelConfig {
  const written = familyOf(config).withBiases(config)
  if (!written) throw new RangeError(`a ${config.family} checkpoint has no place for biases`)
  return written
}

/** What a run will leave: exact, since layers and groups of a kind weigh the same in a model not pruned before. */
export function estimateParameters(config: ModelConfig, settings: TargetSettings): { before: number; after: number } {
  const before = countParameters(config)
  if (settings.removes === 'weights') return { before, after: before }
  if (settings.removes === 'layers') {
    const kept = config.layers.slice(layersRemoved(config, settings, settings.ratio))
    return { before, after: countParameters({ ...config, layers: kept }) }
  }
  const written = settings.addsBiases ? withBiases(config) : config
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
      `${target} parameters cannot be reached by removing ${removable}: at 95 % of them ${after(high)} are left${settings.ranking === 'global' ? ', with what --floor keeps in every layer' : ''}`,
    )
  for (let i = 0; i < 40; i++) {
    const middle = (low + high) / 2
    if (after(middle) <= target) high = middle
    else low = middle
  }
  return high
}
