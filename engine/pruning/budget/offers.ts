import { headsFit } from '../../export/compatibility.ts'
import { type Kind, kinds } from '../../models/family.ts'
import type { LayerShape, ModelConfig } from '../../models/model-config.ts'
import { familyOf } from '../../models/registry.ts'
import { linearOf } from '../../models/tensors.ts'
import { sum } from '../../shared/sum.ts'
import { type GroupMasks, isEmptyLayer, readerOf } from '../groups.ts'
import { leavingOrder } from '../order.ts'
import type { LayerScores } from '../scores.ts'
import { isPruned, keptByFloor, queryHeadRuns, queryHeadStep, type TargetSettings } from '../target-settings.ts'
import type { Curve, LayerChoices } from './choices.ts'
import type { Costs } from './costs.ts'

/** A layer of which something stays, with what it may keep and in which order its groups leave. */
export interface Offer {
  layer: number
  choices: LayerChoices
  order: Record<Kind, number[]>
}

/**
 * What every layer may keep: whatever the settings allow, and no group that has left already. Layers that have left whole
 * offer nothing.
 *
 * @param importance of every group, on one scale
 * @param end masks that hide more: as many groups as these keep stay, and the layers that they have
 */
export function offersOf(
  config: ModelConfig,
  masks: GroupMasks,
  importance: readonly LayerScores[],
  costs: Costs,
  settings: TargetSettings,
  end?: GroupMasks,
): Offer[] {
  const staying = [...masks.keys()].filter((layer) => !isEmptyLayer(masks[layer]!))
  const offers = staying.map((layer) => {
    const order = (kind: Kind) =>
      leavingOrder(masks[layer]![kind], importance[layer]![kind], queryHeadRuns(config.layers[layer]!, kind, settings))
    const orders = { heads: order('heads'), channels: order('channels') }
    const curve = (kind: Kind) =>
      curveOf(
        allowedCounts(config, layer, kind, masks[layer]![kind], settings, fewestIn(end, layer, kind, settings)),
        masks[layer]![kind].length,
        orders[kind].map((group) => (masks[layer]![kind][group] === 1 ? importance[layer]![kind][group]! : 0)),
        costs.layers[layer]![kind],
        lossOf(importance[layer]![kind], masks[layer]![kind], settings),
      )
    const choices: LayerChoices = {
      heads: curve('heads'),
      channels: curve('channels'),
      rest: costs.layers[layer]!.rest,
      gone: null,
    }
    return {
      layer,
      choices: {
        ...choices,
        gone: end && !isEmptyLayer(end[layer]!) ? null : lossOfAll(config, layer, masks, importance, settings),
      },
      order: orders,
    }
  })
  keepOne(offers)
  return offers
}

/**
 * What it costs to lose importance of a kind of a layer: the square of the part of it that is gone, times all of it, less what
 * that was before. What groups of one block add is summed, so that the errors of those that leave add up before they are
 * squared: the first ones cost little, and a kind that gives nearly all costs most. Taken for what it is (at power 1) the
 * importance of groups that are much alike decides nothing, and one kind or whole layers give everything.
 *
 * @returns of the importance that leaves beyond what has left before
 */
function lossOf(
  importance: Float32Array,
  mask: Uint8Array,
  { comparable }: Pick<TargetSettings, 'comparable'>,
): (leaving: number) => number {
  if (comparable) return (leaving) => leaving
  const all = sum(importance)
  if (all === 0) return () => 0
  const before = sum(importance.filter((_, group) => mask[group] === 0)) / all
  return (leaving) => all * ((before + leaving / all) ** 2 - before ** 2)
}

/** Importance that is lost with a whole layer; null where it may not leave. */
function lossOfAll(
  config: ModelConfig,
  layer: number,
  masks: GroupMasks,
  importance: readonly LayerScores[],
  settings: TargetSettings,
): number | null {
  // With biases behind them, masked groups leave something that no missing layer adds.
  const adds =
    familyOf(config).task === 'causal-lm' &&
    kinds.some((kind) => linearOf(config, layer, readerOf(config, layer, kind)).bias)
  if (adds || settings.addsBiases || (settings.keeps?.length ?? 0) > 0 || !isPruned(config, layer, settings))
    return null
  return sum(
    kinds.map((kind) => {
      const [ofKind, mask] = [importance[layer]![kind], masks[layer]![kind]]
      return lossOf(ofKind, mask, settings)(sum(ofKind.filter((_, group) => mask[group] === 1)))
    }),
  )
}

/** One layer is always left: where all might leave, the most important one stays. */
function keepOne(offers: readonly Offer[]): void {
  if (offers.some(({ choices }) => choices.gone === null)) return
  const most = offers.reduce<Offer | null>(
    (one, other) => (one === null || other.choices.gone! > one.choices.gone! ? other : one),
    null,
  )
  if (most) most.choices.gone = null
}

/** Groups of a kind that a layer keeps in the end; with equal numbers, those of any layer that stays. */
function fewestIn(end: GroupMasks | undefined, layer: number, kind: Kind, { uniform }: TargetSettings): number {
  if (!end) return 0
  const own = end[layer]!
  return sum((uniform && isEmptyLayer(own) ? (end.find((other) => !isEmptyLayer(other)) ?? own) : own)[kind])
}

/** Numbers of groups that a layer may keep, the most first; that of now is among them. */
function allowedCounts(
  config: ModelConfig,
  layer: number,
  kind: Kind,
  mask: Uint8Array,
  settings: TargetSettings,
  least: number,
): number[] {
  const now = sum(mask)
  if (settings.keeps?.includes(kind) || !isPruned(config, layer, settings)) return [now]
  const shape = config.layers[layer]!
  const multiple = kind === 'channels' ? settings.channelMultiple : queryHeadStep(shape, kind, settings)
  const fewest = Math.max(least, keptByFloor(mask.length, settings))
  const counts = [now]
  for (let count = Math.ceil(now / multiple - 1) * multiple; count >= Math.max(fewest, 1); count -= multiple)
    if (kind === 'channels' || !settings.uniform || headsFit(config, headsOf(shape, count, mask.length)))
      counts.push(count)
  return counts
}

/** Query heads of so many groups. */
const headsOf = (shape: LayerShape, count: number, groups: number): number => (count / groups) * shape.heads

/**
 * @param counts groups that may be kept, the most first
 * @param leaves importance of all groups in the order in which they leave
 * @param loss what it costs that so much of it leaves
 */
function curveOf(
  counts: number[],
  groups: number,
  leaves: readonly number[],
  cost: (kept: number) => number,
  loss: (leaving: number) => number,
): Curve {
  const lost = new Float64Array(counts.length)
  let [gone, left] = [0, 0]
  for (const [point, count] of counts.entries()) {
    for (; left < groups - count; left++) gone += leaves[left]!
    lost[point] = loss(gone)
  }
  return { kept: counts, cost: Float64Array.from(counts, cost), lost }
}
