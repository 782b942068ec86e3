import { type Kind, kinds } from '../models/family.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { countParameters, layerWeights } from '../models/tensors.ts'
import { groupCount, parametersPerGroup } from './groups.ts'
import { countOf, isPruned, keptByFloor, queryHeadStep, type TargetSettings, withBiases } from './target-settings.ts'
import { sum } from '../shared/sum.ts'

/** Groups of one kind that may leave. */
interface Supply {
  groups: number
  /** Parameters that leave with one of them. */
  each: number
  /** How many leave at once. */
  step: number
  /** How many may leave. */
  most: number
}

/** Weights of the linear layers of all decoder layers, protected ones too: what `ratioOf` counts. */
export const decoderParameters = (config: ModelConfig): number => sum(layerWeights(config))

/** Parameters that leave with the groups of all kinds that may, in the layers that are pruned. */
export const removableParameters = (config: ModelConfig, settings: TargetSettings): number =>
  sum(prunedLayers(config, settings).map((layer) => parametersOf(config, layer, removedKinds(settings), settings)))

/**
 * How many groups of each kind leave each layer, so that a ratio of the parameters that may leave is gone. Heads are few and
 * heavy: they leave to the nearest number, and channels make up the difference to the last parameter that is asked for. No
 * more is kept than the ratio leaves; what is removed beyond it is less than a channel (or the multiple of channels) of each
 * layer, or of all layers together where these are ranked together. On the way there each kind has gone as far as the other.
 *
 * Biases that a criterion adds count as kept parameters.
 */
export function countsByParameters(
  config: ModelConfig,
  settings: TargetSettings,
  ratio: number,
): Record<Kind, number[]> {
  const final = finalCountsOf(config, settings)
  const share = ratio / settings.ratio
  if (share >= 1) return final
  const onTheWay = (kind: Kind) =>
    final[kind].map((count, layer) =>
      countOf(count, share, settings.rounding, queryHeadStep(config.layers[layer]!, kind, settings)),
    )
  return { heads: onTheWay('heads'), channels: onTheWay('channels') }
}

function finalCountsOf(config: ModelConfig, settings: TargetSettings): Record<Kind, number[]> {
  const written = settings.addsBiases ? withBiases(config) : config
  const pruned = prunedLayers(config, settings)
  const added = (countParameters(written) - countParameters(config)) / Math.max(1, pruned.length)
  const needed = (layer: number) =>
    settings.ratio * parametersOf(config, layer, removedKinds(settings), settings) + added
  const counts: Record<Kind, number[]> = {
    heads: config.layers.map(() => 0),
    channels: config.layers.map(() => 0),
  }
  const supplies = (layer: number) => ({
    heads: supplyOf(written, layer, 'heads', settings),
    channels: supplyOf(written, layer, 'channels', settings),
  })
  if (settings.ranking === 'local') {
    for (const layer of pruned) {
      const { heads, channels } = supplies(layer)
      const shares = divided(heads, channels, needed(layer), settings.ratio)
      for (const kind of kinds) counts[kind][layer] = shares[kind]
    }
    return counts
  }
  const all = pruned.map(supplies)
  const together = (kind: Kind) => joined(all.map((supply) => supply[kind]))
  const shares = divided(together('heads'), together('channels'), sum(pruned.map(needed)), settings.ratio)
  for (const kind of kinds) {
    let left = shares[kind]
    // As if all layers lost the same; the sum alone is certain.
    for (const [at, layer] of pruned.entries()) {
      const even = Math.ceil(left / (pruned.length - at))
      const room = sum(all.slice(at + 1).map((supply) => supply[kind].most))
      const count = Math.min(all[at]![kind].most, Math.max(even, left - room))
      counts[kind][layer] = count
      left -= count
    }
  }
  return counts
}

/** How many heads and channels leave so that at least so many parameters do. */
function divided(heads: Supply, channels: Supply, needed: number, ratio: number): Record<Kind, number> {
  let count = Math.min(heads.most, countOf(heads.groups, ratio, 'nearest', heads.step))
  // Channels cannot make up for too many heads.
  while (count > 0 && count * heads.each > needed) count -= heads.step
  const rest = () => leastFor(channels, needed - count * heads.each)
  while (rest() > channels.most && count + heads.step <= heads.most) count += heads.step
  return { heads: count, channels: Math.min(rest(), channels.most) }
}

/** The least number of groups, in whole steps of what is kept, with which so many parameters leave. */
function leastFor({ groups, each, step }: Supply, parameters: number): number {
  // A sum that is a hair above a whole number of groups is that number.
  const count = Math.max(0, Math.ceil(parameters / each - 1e-6))
  return count === 0 ? 0 : groups - Math.floor((groups - count) / step) * step
}

function supplyOf(config: ModelConfig, layer: number, kind: Kind, settings: TargetSettings): Supply {
  const groups = groupCount(config, layer, kind, settings.headGroups)
  const step = kind === 'heads' ? queryHeadStep(config.layers[layer]!, kind, settings) : settings.channelMultiple
  const kept = settings.ranking === 'global' ? keptByFloor(groups, settings) : step
  const most = settings.keeps?.includes(kind) ? 0 : Math.max(0, groups - kept)
  return { groups, each: parametersPerGroup(config, layer, kind, settings.headGroups), step, most }
}

/**
 * The groups of all layers as one supply. Which of them leave is not known yet: where their weights differ, the lightest
 * stand for all, so that as many parameters leave as are asked for.
 */
const joined = (supplies: readonly Supply[]): Supply => ({
  groups: sum(supplies.map(({ groups }) => groups)),
  each: Math.min(...supplies.map(({ each }) => each)),
  step: 1,
  most: sum(supplies.map(({ most }) => most)),
})

const prunedLayers = (config: ModelConfig, settings: TargetSettings): number[] =>
  [...config.layers.keys()].filter((layer) => isPruned(config, layer, settings))

const removedKinds = ({ keeps }: TargetSettings): Kind[] => kinds.filter((kind) => !keeps?.includes(kind))

const parametersOf = (
  config: ModelConfig,
  layer: number,
  of: readonly Kind[],
  { headGroups }: Pick<TargetSettings, 'headGroups'>,
): number =>
  sum(
    of.map((kind) => groupCount(config, layer, kind, headGroups) * parametersPerGroup(config, layer, kind, headGroups)),
  )
