import { kinds } from '../models/family.ts'
import type { LayerScores } from './scores.ts'

/**
 * Group scores gathered over steps, from zero: their moving average G_t = lambda G_{t-1} + (1 - lambda) G^_t
 * (arXiv 2305.18403, equation 11), or their sum. A step whose scores are not all finite is skipped whole.
 */
export class ImportanceAverage {
  readonly #keep: number
  readonly #take: number
  layers: LayerScores[] | null = null
  skipped = 0

  constructor(lambda: number, gather: 'average' | 'sum' = 'average') {
    this.#keep = gather === 'average' ? lambda : 1
    this.#take = gather === 'average' ? 1 - lambda : 1
  }

  update(scores: readonly LayerScores[]): void {
    if (scores.some((layer) => kinds.some((kind) => !layer[kind].every(Number.isFinite)))) {
      this.skipped++
      return
    }
    this.layers ??= scores.map(({ heads, channels }) => ({
      heads: new Float32Array(heads.length),
      channels: new Float32Array(channels.length),
    }))
    for (const [index, layer] of this.layers.entries()) {
      for (const kind of kinds) {
        const fresh = scores[index]![kind]
        const average = layer[kind]
        for (let group = 0; group < average.length; group++)
          average[group] = this.#keep * average[group]! + this.#take * fresh[group]!
      }
    }
  }
}
