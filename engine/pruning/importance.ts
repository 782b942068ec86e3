import type { LayerScores } from './criteria/loraprune.ts'
import { kinds } from './groups.ts'

/**
 * The moving average of group scores, G_t = lambda G_{t-1} + (1 - lambda) G^_t from zero (arXiv 2305.18403, equation 11).
 * A step whose scores contain NaN is skipped whole.
 */
export class ImportanceAverage {
  readonly lambda: number
  layers: LayerScores[] | null = null
  skipped = 0

  constructor(lambda: number) {
    this.lambda = lambda
  }

  update(scores: readonly LayerScores[]): void {
    if (scores.some((layer) => kinds.some((kind) => layer[kind].some(Number.isNaN)))) {
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
          average[group] = this.lambda * average[group]! + (1 - this.lambda) * fresh[group]!
      }
    }
  }
}
