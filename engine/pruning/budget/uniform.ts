import { compare } from '../order.ts'
import { type Choice, choiceCost, choiceLoss, fewest, type LayerChoices, type Solution, solutionOf } from './choices.ts'

/**
 * The same with equal numbers in all layers that stay, which a stock config can say: tries every number of heads and of whole
 * layers that leave, with the most channels that the limit allows. Exact, as long as layers cost the same.
 *
 * @throws RangeError where layers offer different numbers, or even the cheapest choice costs more
 */
export function solveUniform(layers: readonly LayerChoices[], limit: number): Solution {
  const [first] = layers
  if (first === undefined) return solutionOf(layers, [])
  if (layers.some((layer) => !isAlike(layer, first)))
    throw new RangeError('layers offer different numbers of heads and channels')
  let best: Solution | null = null
  for (let leaving = 0; leaving <= mostLeaving(layers); leaving++)
    for (const heads of first.heads.kept.keys()) {
      const channels = mostChannels(first, heads, limit / (layers.length - leaving))
      if (channels === null) continue
      const solution = solutionOf(layers, withLayersGone(layers, { heads, channels }, leaving))
      if (solution.lost < (best?.lost ?? Infinity)) best = solution
    }
  if (best === null) throw new RangeError(`${limit} cannot be met with equal numbers in all layers`)
  return best
}

/** Whole layers that may leave; one is always left. */
const mostLeaving = (layers: readonly LayerChoices[]): number =>
  Math.min(layers.filter(({ gone }) => gone !== null).length, layers.length - 1)

/** The least that equal numbers in all layers can cost. */
export const leastUniform = (layers: readonly LayerChoices[]): number =>
  layers
    .map((layer) => choiceCost(layer, fewest(layer)))
    .toSorted((one, other) => one - other)
    .slice(0, layers.length - mostLeaving(layers))
    .reduce((sum, cost) => sum + cost, 0)

const isAlike = (one: LayerChoices, other: LayerChoices): boolean =>
  (['heads', 'channels'] as const).every(
    (kind) =>
      one[kind].kept.length === other[kind].kept.length &&
      one[kind].kept.every((kept, point) => kept === other[kind].kept[point]),
  )

/** The point of most channels with which a layer costs no more than its share; null where none does. */
function mostChannels(layer: LayerChoices, heads: number, share: number): number | null {
  const costs = (channels: number) => choiceCost(layer, { heads, channels })
  let [low, high] = [0, layer.channels.kept.length - 1]
  // Shares are fractions of whole numbers.
  const most = share * (1 + 1e-12)
  if (costs(high) > most) return null
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (costs(middle) <= most) high = middle
    else low = middle + 1
  }
  return low
}

/** Lets those layers leave whole that lose least by it. */
function withLayersGone(layers: readonly LayerChoices[], choice: NonNullable<Choice>, leaving: number): Choice[] {
  const loses = (layer: LayerChoices) => (layer.gone === null ? Infinity : layer.gone - choiceLoss(layer, choice))
  const order = [...layers.keys()].sort(
    (one, other) => compare(loses(layers[one]!), loses(layers[other]!)) || one - other,
  )
  const gone = new Set(order.slice(0, leaving))
  return layers.map((_, layer) => (gone.has(layer) ? null : choice))
}
