import type { HeadGroups, Kind } from '../../models/family.ts'
import type { LayerShape, ModelConfig } from '../../models/model-config.ts'
import { groupCount } from '../groups.ts'
import { costOf, type Costs, type LayerCosts } from './costs.ts'

/** Milliseconds of one layer and of all else, for a few numbers of groups; the other kind is whole meanwhile. */
export interface PartTimes {
  /** Of embedding, output head and what else is there once. */
  fixed: number
  /** Of a whole layer. */
  layer: number
  /** By number of groups, the most first. */
  heads: { groups: number; milliseconds: number }[]
  channels: { groups: number; milliseconds: number }[]
}

/** What was measured on a device at two lengths: reading a prompt, and one generated token after it. */
export interface LayerTimes {
  prompt: PartTimes
  generation: PartTimes
}

/**
 * Times as costs: a layer takes what its heads take, what its channels take, and what is left of the time of a whole layer.
 * Between the measured numbers of groups times are interpolated, and below the fewest they go on in a line. Noise that would
 * make fewer groups slower, or parts slower than the whole, is taken out.
 */
export function timeCosts(config: ModelConfig, { fixed, layer, heads, channels }: PartTimes): Costs {
  const [ofHeads, ofChannels] = [partTable(heads, layer), partTable(channels, layer)]
  const together = ofHeads.at(-1)!.milliseconds + ofChannels.at(-1)!.milliseconds
  const scale = together > layer ? layer / together : 1
  const costs: LayerCosts = {
    rest: Math.max(0, layer - together * scale),
    heads: (kept) => scale * interpolated(ofHeads, kept),
    channels: (kept) => scale * interpolated(ofChannels, kept),
  }
  return { fixed, layers: config.layers.map(() => costs) }
}

type Points = PartTimes['heads']

/** Milliseconds beyond those of a layer without any of the groups, by rising numbers of them, from none on. */
function partTable(points: Points, layer: number): Points {
  const rising = isotonic(
    points.toReversed().map((each) => ({ ...each, milliseconds: Math.min(layer, Math.max(0, each.milliseconds)) })),
  )
  const [first, next] = [rising[0]!, rising[1]]
  const slope = next
    ? (next.milliseconds - first.milliseconds) / (next.groups - first.groups)
    : first.milliseconds / first.groups
  const base = Math.max(0, first.milliseconds - slope * first.groups)
  return [
    { groups: 0, milliseconds: 0 },
    ...rising.map((each) => ({ ...each, milliseconds: each.milliseconds - base })),
  ]
}

/** The nearest times that never fall (pool adjacent violators). */
function isotonic(points: Points): Points {
  const pools: { sum: number; count: number }[] = []
  for (const { milliseconds } of points) {
    pools.push({ sum: milliseconds, count: 1 })
    for (let last = pools.at(-1)!, before = pools.at(-2); before && mean(before) > mean(last); before = pools.at(-2)) {
      pools.splice(-2, 2, { sum: before.sum + last.sum, count: before.count + last.count })
      last = pools.at(-1)!
    }
  }
  const values = pools.flatMap((pool) => Array.from({ length: pool.count }, () => mean(pool)))
  return points.map(({ groups }, i) => ({ groups, milliseconds: values[i]! }))
}

const mean = ({ sum, count }: { sum: number; count: number }) => sum / count

function interpolated(table: Points, kept: number): number {
  const above = table.findIndex(({ groups }) => groups >= kept)
  if (above < 0) return table.at(-1)!.milliseconds
  if (above === 0) return 0
  const [low, high] = [table[above - 1]!, table[above]!]
  const part = (kept - low.groups) / (high.groups - low.groups)
  return low.milliseconds + part * (high.milliseconds - low.milliseconds)
}

/** What a model of these layers takes. */
export function timeOf(config: ModelConfig, costs: Costs, layers: LayerShape[], headGroups: HeadGroups): number {
  const own = { ...config, layers }
  const count = (layer: number, kind: Kind) => groupCount(own, layer, kind, headGroups)
  // Layers cost the same, so that it does not matter which of them these are.
  return costOf(
    costs,
    layers.map((_, layer) => ({ heads: count(layer, 'heads'), channels: count(layer, 'channels') })),
  )
}
