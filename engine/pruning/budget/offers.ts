import { headsFit } from '../../export/compatibility.ts'
import { type Kind, kinds } from '../../models/family.ts'
import type { LayerShape, ModelConfig } from '../../models/model-config.ts'
import { familyOf } from '../../models/registry.ts'
import { linearOf } from '../../models/tensors.ts'
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
 */
export function offersOf(
  config: ModelConfig,
  masks: GroupMasks,
  importance: readonly LayerScores[],
  costs: Costs,
  settings: TargetSettings,
): Offer[] {
  const staying = [...masks.keys()].filter((layer) => !isEmptyLayer(masks[layer]!))
  const offers = staying.map((layer) => {
    const order = (kind: Kind) =>
      leavingOrder(masks[layer]![kind], importance[layer]![kind], queryHeadRuns(config.layers[layer]!, kind, settings))
    const orders = { heads: order('heads'), channels: order('channels') }
    const curve = (kind: Kind) =>
      curveOf(
        allowedCounts(config, layer, kind, masks[layer]![kind], settings),
        masks[layer]![kind].length,
        orders[kind].map((group) => (masks[layer]![kind][group] === 1 ? importance[layer]![kind][group]! : 0)),
        costs.layers[layer]![kind],
      )
    const choices: LayerChoices = {
      heads: curve('heads'),
      channels: curve('channels'),
      rest: costs.layers[layer]!.rest,
      gone: null,
    }
    return {
      layer,
      choices: { ...choices, gone: lossOfAll(config, layer, masks, importance, settings) },
      order: orders,
    }
  })
  keepOne(offers)
  return offers
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
  return kinds.reduce(
    (sum, kind) =>
      importance[layer]![kind].reduce(
        (all, value, group) => (masks[layer]![kind][group] === 1 ? all + value : all),
        sum,
      ),
    0,
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

/** Numbers of groups that a layer may keep, the most first; that of now is among them. */
function allowedCounts(
  config: ModelConfig,
  layer: number,
  kind: Kind,
  mask: Uint8Array,
  settings: TargetSettings,
): number[] {
  const now = mask.reduce((sum, kept) => sum + kept, 0)
  if (settings.keeps?.includes(kind) || !isPruned(config, layer, settings)) return [now]
  const shape = config.layers[layer]!
  const multiple =
    kind === 'channels' && settings.channelMultiple <= mask.length
      ? settings.channelMultiple
      : queryHeadStep(shape, kind, settings)
  const fewest = keptByFloor(mask.length, settings)
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
 * @param losses importance of all groups in the order in which they leave
 */
function curveOf(counts: number[], groups: number, losses: readonly number[], cost: (kept: number) => number): Curve {
  const lost = new Float64Array(counts.length)
  let [sum, left] = [0, 0]
  for (const [point, count] of counts.entries()) {
    for (; left < groups - count; left++) sum += losses[left]!
    lost[point] = sum
  }
  return { kept: counts, cost: Float64Array.from(counts, cost), lost }
}
