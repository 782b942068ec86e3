import { kinds } from '../../models/family.ts'
import { type Choice, choiceCost, choiceLoss, fewest, type LayerChoices, type Solution, solutionOf } from './choices.ts'

const mostExchanges = 200
/** What is between the importance lost and its bound, as a part of it, for which no exchange is looked for. */
const closeEnough = 1e-5

/** Another choice of one layer. */
interface Change {
  layer: number
  choice: Choice
  /** What it costs beyond the choice of now, and the importance that it wins back. */
  cost: number
  gain: number
}

/**
 * Fills the room that choices leave below the limit: point by point where most importance is won for its cost, and by
 * exchanges, where one layer gives a point and another takes what fits then, until nothing wins any more.
 *
 * @param bound what no choices lose less than: exchanges end near it
 */
export function repair(layers: readonly LayerChoices[], start: Solution, limit: number, bound: number): Solution {
  let now = fill(layers, start, limit)
  for (let i = 0; i < mostExchanges && now.lost - bound > closeEnough * now.lost; i++) {
    const better = exchange(layers, now, limit)
    if (better === null) break
    now = fill(layers, better, limit)
  }
  return now
}

function fill(layers: readonly LayerChoices[], start: Solution, limit: number): Solution {
  let now = start
  for (;;) {
    let best: Change | null = null
    for (const layer of layers.keys())
      for (const change of changesOf(layers, now, layer, 1))
        if (fits(change, now, limit) && (best === null || change.gain * best.cost > best.gain * change.cost))
          best = change
    if (best === null) return now
    now = changed(layers, now, best)
  }
}

/** The exchange that wins most; null where none wins anything. */
function exchange(layers: readonly LayerChoices[], now: Solution, limit: number): Solution | null {
  let best: Solution | null = null
  for (const layer of layers.keys())
    for (const gives of changesOf(layers, now, layer, -1)) {
      const given = changed(layers, now, gives)
      for (const other of layers.keys()) {
        if (other === layer) continue
        for (const takes of farthest(layers, given, other, limit)) {
          const lost = given.lost - takes.gain
          // A gain that rounding makes is none.
          if (lost < (best?.lost ?? now.lost) - 1e-9 * Math.abs(now.lost)) best = changed(layers, given, takes)
        }
      }
    }
  return best
}

const fits = ({ cost, gain }: Change, now: Solution, limit: number): boolean => gain > 0 && now.cost + cost <= limit

/** @param by 1: a point more of each kind stays; -1: a point less, or nothing */
function changesOf(layers: readonly LayerChoices[], now: Solution, layer: number, by: 1 | -1): Change[] {
  const choice = now.choices[layer]!
  const of = layers[layer]!
  if (choice === null) return by === 1 ? [changeTo(layers, now, layer, fewest(of))] : []
  const changes = kinds.flatMap((kind) => {
    const point = choice[kind] - by
    return point < 0 || point >= of[kind].kept.length
      ? []
      : [changeTo(layers, now, layer, { ...choice, [kind]: point })]
  })
  return by === -1 && of.gone !== null ? [...changes, changeTo(layers, now, layer, null)] : changes
}

/** The most of each kind that a layer may take within the limit. */
function farthest(layers: readonly LayerChoices[], now: Solution, layer: number, limit: number): Change[] {
  const of = layers[layer]!
  const choice = now.choices[layer] ?? fewest(of)
  const room = limit - now.cost + choiceCost(of, now.choices[layer]!)
  return kinds.flatMap((kind) => {
    let [low, high] = [0, choice[kind]]
    const at = (point: number): Choice => ({ ...choice, [kind]: point })
    if (choiceCost(of, at(high)) > room) return []
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      if (choiceCost(of, at(middle)) <= room) high = middle
      else low = middle + 1
    }
    return [changeTo(layers, now, layer, at(high))]
  })
}

const changeTo = (layers: readonly LayerChoices[], now: Solution, layer: number, choice: Choice): Change => ({
  layer,
  choice,
  cost: choiceCost(layers[layer]!, choice) - choiceCost(layers[layer]!, now.choices[layer]!),
  gain: choiceLoss(layers[layer]!, now.choices[layer]!) - choiceLoss(layers[layer]!, choice),
})

const changed = (layers: readonly LayerChoices[], now: Solution, { layer, choice }: Change): Solution =>
  solutionOf(layers, now.choices.with(layer, choice))
