import { type Choice, choiceCost, choiceLoss, type LayerChoices, type Solution, solutionOf } from './choices.ts'
import type { Relaxed } from './lagrange.ts'

/** Beyond these the search is given up: what is left to win is less than a channel then. */
const mostChoices = 1000
const mostStates = 50_000

/** Choices of the first layers, with how they came about. */
interface State {
  cost: number
  lost: number
  choice: Choice
  before: State | null
}

/**
 * The best choices of all, by dynamic programming over those that can still win (Dyer, Kayal and Walker, 1984): a choice that
 * is dearer at the price by more than what is between the best found and the bound is in no better solution.
 *
 * @returns null where there is too much to look at
 */
export function exact(
  layers: readonly LayerChoices[],
  limit: number,
  { price, bound }: Pick<Relaxed, 'price' | 'bound'>,
  found: Solution,
): Solution | null {
  const gap = found.lost - bound
  const tolerance = 1e-12 * Math.max(1, Math.abs(found.lost))
  if (gap <= tolerance) return found
  const candidates = layers.map((layer) => choicesWithin(layer, price, gap + tolerance))
  if (candidates.some((choices) => choices === null)) return null
  const choices = candidates as Choice[][]
  const least = cheapestAfter(layers, choices)
  let states: State[] = [{ cost: 0, lost: 0, choice: null, before: null }]
  let looked = 0
  for (const [i, layer] of layers.entries()) {
    looked += states.length * choices[i]!.length
    if (looked > mostStates) return null
    const next = states.flatMap((before) =>
      choices[i]!.map((choice): State => ({
        cost: before.cost + choiceCost(layer, choice),
        lost: before.lost + choiceLoss(layer, choice),
        choice,
        before,
      })).filter(({ cost }) => cost + least[i + 1]! <= limit),
    )
    states = undominated(next)
    if (states.length === 0) return found
  }
  const best = states.reduce((one, other) => (other.lost < one.lost ? other : one))
  return best.lost < found.lost ? solutionOf(layers, choicesOf(best, layers.length)) : found
}

/** Choices of a layer that are at most so much dearer at the price than its best one; null where they are too many. */
function choicesWithin(layer: LayerChoices, price: number, gap: number): Choice[] | null {
  const { heads, channels } = layer
  const dear = ({ cost, lost }: LayerChoices['heads']) => Array.from(cost, (each, i) => lost[i]! + price * each)
  const [ofHeads, ofChannels] = [dear(heads), dear(channels)]
  const stays = least(ofHeads) + least(ofChannels) + price * layer.rest
  const goes = layer.gone ?? Infinity
  const most = Math.min(stays, goes) + gap
  const found: Choice[] = goes <= most ? [null] : []
  const near = [...ofChannels.keys()].filter(
    (point) => least(ofHeads) + ofChannels[point]! + price * layer.rest <= most,
  )
  for (const [head, value] of ofHeads.entries())
    for (const channel of near)
      if (value + ofChannels[channel]! + price * layer.rest <= most) {
        found.push({ heads: head, channels: channel })
        if (found.length > mostChoices) return null
      }
  return found
}

const least = (values: readonly number[]): number => values.reduce((one, other) => Math.min(one, other), Infinity)

/** The least that the layers from each one on can cost. */
function cheapestAfter(layers: readonly LayerChoices[], choices: readonly Choice[][]): Float64Array {
  const sums = new Float64Array(layers.length + 1)
  for (let i = layers.length - 1; i >= 0; i--)
    sums[i] = sums[i + 1]! + least(choices[i]!.map((choice) => choiceCost(layers[i]!, choice)))
  return sums
}

/** States without those that cost and lose no less than another, by rising cost. */
function undominated(states: State[]): State[] {
  const kept: State[] = []
  for (const state of states.sort((one, other) => one.cost - other.cost || one.lost - other.lost))
    if (kept.length === 0 || state.lost < kept.at(-1)!.lost) kept.push(state)
  return kept
}

function choicesOf(last: State, layers: number): Choice[] {
  const choices: Choice[] = []
  let state: State | null = last
  for (let i = 0; i < layers; i++) {
    choices.unshift(state!.choice)
    state = state!.before
  }
  return choices
}
