import { type HeadGroups, type Kind } from '../models/family.ts'
import type { LayerShape, ModelConfig } from '../models/model-config.ts'
import { familyOf } from '../models/registry.ts'
import type { BudgetTarget } from './budget/costs.ts'

export interface TargetSettings {
  /** Heads and channels, whole layers, or single weights. */
  removes: 'groups' | 'layers' | 'weights'
  /** Whether all linear layers get biases, for what removed groups gave on average. */
  addsBiases: boolean
  /** Kinds of groups that stay whole in every layer. */
  keeps?: readonly Kind[]
  /** Fraction of groups (layers, weights) to remove from the layers that are pruned; with `counts`, of their parameters. */
  ratio: number
  /** What the ratio is met in: the groups of each kind (default), or the parameters of both kinds together. */
  counts?: 'groups' | 'parameters'
  /** What is spent over all layers and kinds in place of a ratio; `ratio` is then the fraction that leaves of what may. */
  budget?: BudgetTarget
  headGroups: HeadGroups
  /** Same counts in every layer and no layer protected: the result is a stock config that other programs load. */
  uniform: boolean
  /** Fraction of the layers, from the first, that stay whole (rounded down); not with `uniform`. */
  protectFirst: number
  /** Number of layers, from the last, that stay whole; not with `uniform`. */
  protectLast: number
  /** Channels kept are a multiple of this in every layer that loses some; one that is pruned has so many at least. */
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
export function countOf(groups: number, ratio: number, rounding: TargetSettings['rounding'], step = 1): number {
  // A fraction that is a hair short of a whole number of groups is that number.
  const exact = (groups * ratio + 1e-9) / step
  return Math.floor(rounding === 'nearest' ? exact + 0.5 : exact) * step
}

/** Whether a layer may lose groups. */
export function isPruned(
  config: ModelConfig,
  layer: number,
  settings: Pick<TargetSettings, 'uniform' | 'protectFirst' | 'protectLast'>,
): boolean {
  if (settings.uniform) return true
  const count = config.layers.length
  return layer >= Math.floor(settings.protectFirst * count) && layer < count - settings.protectLast
}

/** Query heads that leave at once where key/value heads stay and must keep equally many each. */
export const queryHeadStep = (shape: LayerShape, kind: Kind, { headGroups }: TargetSettings) =>
  kind === 'heads' && headGroups === 'query-heads' && shape.heads !== shape.keyValueHeads && !shape.keyValueHeadOf
    ? shape.keyValueHeads
    : 1

/** Query heads that share a key/value head, of which one of each leaves at a time; undefined where heads leave by themselves. */
export const queryHeadRuns = (shape: LayerShape, kind: Kind, settings: TargetSettings): number | undefined =>
  queryHeadStep(shape, kind, settings) === 1 ? undefined : shape.heads / shape.keyValueHeads

/** Groups that a layer keeps at least, under global ranking. */
export const keptByFloor = (groups: number, { floor }: TargetSettings): number => Math.max(1, Math.ceil(groups * floor))

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
