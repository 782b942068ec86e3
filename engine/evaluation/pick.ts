import type { Likeliest } from '../backends/likeliest.ts'
import type { Random } from '../shared/random.ts'
import { pickAmong } from './pick-among.ts'
import type { Sampling } from './sampling.ts'

/** Scores of the tokens that may come next. */
export interface NextScores {
  /** Of the likeliest tokens, where the back end has found them. */
  likeliest: Likeliest | null
  /** Of all tokens, by id: read from a card where somebody asks, which must be before the next token is computed. */
  all(): Float32Array
}

/** Rows of logits [rows * vocabulary], each to pick from. */
export const rowsOf = (logits: Float32Array, vocabulary: number): NextScores[] =>
  Array.from({ length: logits.length / vocabulary }, (_, row) => ({
    likeliest: null,
    all: () => logits.subarray(row * vocabulary, (row + 1) * vocabulary),
  }))

/** The next id: the likeliest, or drawn from the nucleus (Holtzman et al., arXiv 1904.09751). */
export const pick = (scores: Float32Array, settings: Sampling & { random: Random }): number =>
  pickNext({ likeliest: null, all: () => scores }, settings)

/** The same, by the scores of the likeliest tokens alone where these decide it: the id is the same then too. */
export function pickNext(next: NextScores, settings: Sampling & { random: Random }): number {
  const point = settings.temperature === 0 ? 0 : settings.random.uniform()
  const picked = next.likeliest && pickAmong(next.likeliest, settings, point)
  return picked ?? pickByAll(next.all(), settings, point)
}

/** @param at where in the weight of what is drawn from, from 0 up to 1, the drawn token is */
function pickByAll(scores: Float32Array, { temperature, topP, topK = 0 }: Sampling, at: number): number {
  let best = 0
  for (let id = 1; id < scores.length; id++) if (scores[id]! > scores[best]!) best = id
  if (temperature === 0) return best
  const weights = new Float64Array(scores.length)
  for (let id = 0; id < weights.length; id++) weights[id] = Math.exp((scores[id]! - scores[best]!) / temperature)
  const ranking = new Ranking(weights)
  const count = topK > 0 ? Math.min(topK, scores.length) : scores.length
  const total = topK > 0 ? ranking.sumOf(count) : ranking.sum()
  let [size, nucleus] = [count, total]
  if (topP < 1)
    for (size = 0, nucleus = 0; size < count && nucleus < topP * total; size++) nucleus += ranking.weightAt(size)
  let point = at * nucleus
  for (let place = 0; place < size; place++) {
    point -= ranking.weightAt(place)
    if (point < 0) return ranking.idAt(place)
  }
  return best
}

/** By how much a piece of the ranking reaches below the one before. */
const reach = 0.01
/** Whatever is below it is ranked at once. */
const least = 1e-12

/**
 * Ids by weight, the largest first and of equal ones the first id. Few of a vocabulary hold nearly all of the weight: they are
 * ranked in pieces, as far as anybody asks.
 */
class Ranking {
  readonly #weights: Float64Array
  readonly #ids: number[] = []
  /** Weights from here on are ranked. */
  #bound = Number.POSITIVE_INFINITY

  /** @param weights of all ids, 1 at most */
  constructor(weights: Float64Array) {
    this.#weights = weights
  }

  /** Of the id at a place; 0 where a weight is not a number, so that there are fewer places than ids. */
  weightAt(place: number): number {
    const id = this.idAt(place)
    return id < 0 ? 0 : this.#weights[id]!
  }

  /** -1 beyond the last place. */
  idAt(place: number): number {
    while (place >= this.#ids.length && this.#bound > 0) this.#extend()
    return this.#ids[place] ?? -1
  }

  sum(): number {
    let sum = 0
    for (const weight of this.#weights) sum += weight
    return sum
  }

  /** The sum of the largest `count`. */
  sumOf(count: number): number {
    let sum = 0
    for (let place = 0; place < count; place++) sum += this.weightAt(place)
    return sum
  }

  #extend(): void {
    const weights = this.#weights
    const above = this.#bound
    const from = Math.min(above, 1) * reach
    this.#bound = from < least ? 0 : from
    const more: number[] = []
    for (let id = 0; id < weights.length; id++) if (weights[id]! < above && weights[id]! >= this.#bound) more.push(id)
    more.sort((one, other) => weights[other]! - weights[one]! || one - other)
    for (const id of more) this.#ids.push(id)
  }
}
