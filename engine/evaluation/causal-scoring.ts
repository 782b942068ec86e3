import { backendExtras } from '../backends/extras.ts'
import { type Adapter, lowRankOf } from '../lora/adapter.ts'
import type { LayerMask, Model } from '../models/family.ts'
import { embedIds, forward, logits } from '../models/forward.ts'
import { labelLogLikelihoods } from '../ops/cross-entropy.ts'
import { type Tensor, tf } from '../tensor/tf.ts'
import { itemLength, layOut } from './batching.ts'
import type { GreedyLikelihoods, GreedyScoringModel, LikelihoodItem } from './scoring-model.ts'

/** Tokens that are predicted at once are rounded up to a multiple of this, so that few graphs are compiled. */
const labelStep = 32

interface PlacedToken {
  /** Where in the batch the token lies that predicts the next one, and which one that is. */
  source: number
  label: number
}

/** Which tokens of a row may look at each other: those of a prefix and what branches off it. */
class Tree {
  /** Of each token the prefix or suffix that it belongs to, counted over the batch; -1 for padding. */
  readonly #part: Int32Array
  /** Of each token the prefix that it comes after. */
  readonly #trunk: Int32Array
  #parts = 0
  #current = 0

  constructor(tokens: number) {
    this.#part = new Int32Array(tokens).fill(-1)
    this.#trunk = new Int32Array(tokens).fill(-1)
  }

  startItem(): number {
    this.#current = this.#parts++
    return this.#current
  }

  startBranch(): number {
    return this.#parts++
  }

  put(at: number, part: number): void {
    this.#part[at] = part
    this.#trunk[at] = this.#current
  }

  sees(query: number, key: number): boolean {
    const part = this.#part[key]!
    return part === this.#part[query] || (part === this.#trunk[query] && part >= 0)
  }
}

/**
 * Scores with a causal language model, adapted and masked or not. The suffixes of an item lie after its prefix in one row; each sees
 * the prefix and itself alone, at the positions that it would have on its own, so the prefix is computed once. Short items
 * share a row in the same way, so that little is computed for padding.
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
    const { length, rows } = layOut(items.map(itemLength))
    const ids = new Int32Array(rows.length * length)
    const positions = new Int32Array(rows.length * length)
    const tree = new Tree(rows.length * length)
    const placed: PlacedToken[][][] = Array.from(items, () => [])
    for (const [row, ofRow] of rows.entries()) {
      let at = row * length
      const put = (id: number, position: number) => {
        ids[at] = id
        positions[at] = position
        return at++
      }
      for (const index of ofRow) {
        const { prefix, suffixes } = items[index]!
        const trunk = tree.startItem()
        for (const [position, id] of prefix.entries()) tree.put(put(id, position), trunk)
        const lastOfPrefix = at - 1
        placed[index] = suffixes.map((suffix) => {
          const branch = tree.startBranch()
          return suffix.map((label, offset) => {
            const source = offset === 0 ? lastOfPrefix : at - 1
            if (offset < suffix.length - 1) tree.put(put(label, prefix.length + offset), branch)
            return { source, label }
          })
        })
      }
    }
    const isTree = rows.length < items.length || items.some(({ suffixes }) => suffixes.length > 1)
    const hidden = this.#hidden(ids, rows.length, length, isTree ? { positions, tree } : null)
    const { scores, likeliest } = this.#scoreLabels(hidden, placed.flat(2), greedy)
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

  #hidden(ids: Int32Array, rows: number, length: number, packed: { positions: Int32Array; tree: Tree } | null): Tensor {
    const { family, config } = this.#model
    using pass = family.makePass(config, rows, length, {
      positions: packed?.positions,
      visible: packed ? (row, query, key) => packed.tree.sees(row * length + query, row * length + key) : undefined,
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
    greedy: boolean,
  ): { scores: Float32Array; likeliest: Uint8Array } {
    const scores = new Float32Array(tokens.length)
    const likeliest = new Uint8Array(greedy ? tokens.length : 0)
    const most = Math.max(1, Math.floor(backendExtras().logitsAtOnce.most / this.vocabularySize))
    const size = Math.min(most, Math.ceil(tokens.length / labelStep) * labelStep)
    for (let start = 0; start < tokens.length; start += size) {
      const chunk = tokens.slice(start, start + size)
      const labels = new Int32Array(size)
      const [result, best] = tf.tidy(() => {
        const indices = new Int32Array(size)
        for (const [i, { source, label }] of chunk.entries()) {
          indices[i] = source
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
