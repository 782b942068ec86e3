import { backendExtras } from '../backends/extras.ts'
import { type Adapter, lowRankOf } from '../lora/adapter.ts'
import type { LayerMask, Model } from '../models/family.ts'
import { embedIds, forward, logits } from '../models/forward.ts'
import { labelLogLikelihoods } from '../ops/cross-entropy.ts'
import { type Tensor, tf } from '../tensor/tf.ts'
import type { GreedyLikelihoods, GreedyScoringModel, LikelihoodItem } from './scoring-model.ts'

/** Lengths are rounded up to a multiple of this, so that few graphs are compiled. */
const lengthStep = 32

interface PlacedToken {
  /** Where in the row the token lies that predicts the next one, and which one that is. */
  row: number
  position: number
  label: number
}

/**
 * Scores with a causal language model, adapted and masked or not. The suffixes of an item lie after its prefix in one row; each sees
 * the prefix and itself alone, at the positions that it would have on its own, so the prefix is computed once.
 */
export class CausalScoring implements GreedyScoringModel {
  readonly #model: Model
  readonly #adapter: Adapter | undefined
  readonly #masks: LayerMask[] | undefined

  constructor(model: Model, options: { adapter?: Adapter | undefined; masks?: LayerMask[] | undefined } = {}) {
    this.#model = model
    this.#adapter = options.adapter
    this.#masks = options.masks
  }

  get maxLength(): number {
    return this.#model.config.maxPositions
  }

  get vocabularySize(): number {
    return this.#model.config.vocabularySize
  }

  async logLikelihoods(items: readonly LikelihoodItem[]): Promise<number[][][]> {
    return this.#score(items, false).logLikelihoods
  }

  async greedyLikelihoods(items: readonly LikelihoodItem[]): Promise<GreedyLikelihoods> {
    return this.#score(items, true)
  }

  #score(items: readonly LikelihoodItem[], greedy: boolean): GreedyLikelihoods {
    // The last token of a suffix predicts nothing and is not computed.
    const needed = items.map(
      ({ prefix, suffixes }) => prefix.length + suffixes.reduce((sum, suffix) => sum + suffix.length - 1, 0),
    )
    const longest = needed.reduce((most, length) => Math.max(most, length), 1)
    const length = Math.ceil(longest / lengthStep) * lengthStep
    const rows = items.length
    const ids = new Int32Array(rows * length)
    const positions = new Int32Array(rows * length)
    // 0 for the prefix, then 1, 2, ... for each suffix, -1 for padding.
    const branch = new Int32Array(rows * length).fill(-1)
    const placed: PlacedToken[][][] = items.map(({ prefix, suffixes }, row) => {
      let at = row * length
      for (const [position, id] of prefix.entries()) {
        ids[at] = id
        positions[at] = position
        branch[at++] = 0
      }
      const lastOfPrefix = prefix.length - 1
      return suffixes.map((suffix, index) =>
        suffix.map((label, offset) => {
          const source = offset === 0 ? lastOfPrefix : at - 1 - row * length
          if (offset < suffix.length - 1) {
            ids[at] = label
            positions[at] = prefix.length + offset
            branch[at++] = index + 1
          }
          return { row, position: source, label }
        }),
      )
    })
    const branching = items.some(({ suffixes }) => suffixes.length > 1)
    const hidden = this.#hidden(ids, rows, length, branching ? { positions, branch } : null)
    const { scores, likeliest } = this.#scoreLabels(hidden, placed.flat(2), length, greedy)
    hidden.dispose()
    const placeBack = <T>(of: (token: number) => T): T[][][] => {
      let next = 0
      return placed.map((suffixes) => suffixes.map((suffix) => suffix.map(() => of(next++))))
    }
    return {
      logLikelihoods: placeBack((token) => scores[token]!),
      likeliest: placeBack((token) => likeliest[token] === 1),
    }
  }

  #hidden(
    ids: Int32Array,
    rows: number,
    length: number,
    tree: { positions: Int32Array; branch: Int32Array } | null,
  ): Tensor {
    const { family, config } = this.#model
    using pass = family.makePass(config, rows, length, {
      positions: tree?.positions,
      visible:
        tree === null
          ? undefined
          : (row, query, key) => {
              const from = tree.branch[row * length + key]!
              return from === 0 || from === tree.branch[row * length + query]!
            },
    })
    return forward(this.#model, embedIds(this.#model, ids), pass, {
      extras: (layer) => ({
        lowRank: this.#adapter && lowRankOf(this.#adapter, layer),
        mask: this.#masks?.[layer],
      }),
    })
  }

  /** Of each token its log-probability and, where `greedy`, a 1 if no other is likelier. */
  #scoreLabels(
    hidden: Tensor,
    tokens: readonly PlacedToken[],
    length: number,
    greedy: boolean,
  ): { scores: Float32Array; likeliest: Uint8Array } {
    const scores = new Float32Array(tokens.length)
    const likeliest = new Uint8Array(greedy ? tokens.length : 0)
    const most = Math.max(1, Math.floor(backendExtras().logitsAtOnce.most / this.vocabularySize))
    const size = Math.min(most, Math.ceil(tokens.length / lengthStep) * lengthStep)
    for (let start = 0; start < tokens.length; start += size) {
      const chunk = tokens.slice(start, start + size)
      const labels = new Int32Array(size)
      const [result, best] = tf.tidy(() => {
        const indices = new Int32Array(size)
        for (const [i, { row, position, label }] of chunk.entries()) {
          indices[i] = row * length + position
          labels[i] = label
        }
        const picked = logits(tf.gather(hidden, tf.tensor1d(indices, 'int32')), this.#model)
        const found = labelLogLikelihoods(picked, tf.tensor1d(labels, 'int32'))
        return greedy ? ([found, tf.argMax(picked, 1)] as const) : ([found] as const)
      })
      scores.set((result.dataSync() as Float32Array).subarray(0, chunk.length), start)
      if (best) {
        const ids = best.dataSync()
        for (let i = 0; i < chunk.length; i++) likeliest[start + i] = Number(ids[i] === labels[i])
      }
      tf.dispose(best ? [result, best] : [result])
    }
    return { scores, likeliest }
  }
}
