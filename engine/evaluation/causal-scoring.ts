import { backendExtras } from '../backends/extras.ts'
import { type Adapter, lowRankOf } from '../lora/adapter.ts'
import type { LayerMask, Model } from '../models/family.ts'
import { embedIds, forward, logits } from '../models/forward.ts'
import { labelLogLikelihoods } from '../ops/cross-entropy.ts'
import { type Tensor, tf } from '../tensor/tf.ts'
import { layOut } from './batching.ts'
import type { GreedyLikelihoods, GreedyScoringModel, LikelihoodItem } from './scoring-model.ts'
import { unitsOf } from './shared-stems.ts'

/** Tokens that are predicted at once are rounded up to a multiple of this, so that few graphs are compiled. */
const labelStep = 32

interface PlacedToken {
  /** Where in the batch the token lies that predicts the next one, and which one that is. */
  source: number
  label: number
}

/** Which tokens of a row may look at each other: those of a part, and of the parts that it comes after. */
class Tree {
  /** Of each token the part that it belongs to; -1 for padding. */
  readonly #part: Int32Array
  /** Of each part the one that it comes after, or -1. */
  readonly #before: number[] = []

  constructor(tokens: number) {
    this.#part = new Int32Array(tokens).fill(-1)
  }

  /** @param before the part that it comes after; -1 where it starts a text */
  startPart(before: number): number {
    return this.#before.push(before) - 1
  }

  put(at: number, part: number): void {
    this.#part[at] = part
  }

  sees(query: number, key: number): boolean {
    const wanted = this.#part[key]!
    let part = this.#part[query]!
    while (part !== wanted && part >= 0) part = this.#before[part]!
    return part === wanted && part >= 0
  }
}

/**
 * Scores with a causal language model, adapted and masked or not. The suffixes of an item lie after its prefix in one row; each sees
 * the prefix and itself alone, at the positions that it would have on its own, so the prefix is computed once. In the same way
 * items lie after a stem that they share, and short ones share a row, so that little is computed for padding.
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
    const units = unitsOf(items)
    const { length, rows } = layOut(units.map((unit) => unit.length))
    const ids = new Int32Array(rows.length * length)
    const positions = new Int32Array(rows.length * length)
    const tree = new Tree(rows.length * length)
    const placed: PlacedToken[][][] = Array.from(items, () => [])
    for (const [row, ofRow] of rows.entries()) {
      let at = row * length
      /** Puts tokens of a part, which have their places in a text from `position` on; where the last one lies. */
      const put = (tokens: readonly number[], position: number, part: number) => {
        for (const [offset, id] of tokens.entries()) {
          ids[at] = id
          positions[at] = position + offset
          tree.put(at++, part)
        }
        return at - 1
      }
      for (const unit of ofRow.map((index) => units[index]!)) {
        const stem = tree.startPart(-1)
        const lastOfStem = put(items[unit.indices[0]!]!.prefix.slice(0, unit.stem), 0, stem)
        for (const index of unit.indices) {
          const { prefix, suffixes } = items[index]!
          const trunk = tree.startPart(stem)
          const own = prefix.slice(unit.stem)
          const lastOfPrefix = own.length > 0 ? put(own, unit.stem, trunk) : lastOfStem
          placed[index] = suffixes.map((suffix) => {
            const first = at
            put(suffix.slice(0, -1), prefix.length, tree.startPart(trunk))
            return suffix.map((label, offset) => ({ source: offset === 0 ? lastOfPrefix : first + offset - 1, label }))
          })
        }
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
