import { backendExtras, flushBackend } from '../backends/extras.ts'
import { type Adapter, lowRankOf } from '../lora/adapter.ts'
import type { LayerCache, LayerMask, Model, Pass } from '../models/family.ts'
import { embedIds, forward, languageFamily, logits } from '../models/forward.ts'
import { hasCheapRoom, withPlace, withRoom } from '../ops/cache.ts'
import { type Tensor, tf } from '../tensor/tf.ts'

/** Places by which a cache grows at least. */
const cacheStep = 64

/** What changes a model that generates: an adapter that is being trained, groups that have left. */
export interface Changes {
  adapter?: Adapter | undefined
  masks?: readonly LayerMask[] | undefined
}

/**
 * Keys and values of one text a row, in arrays of a capacity that grows in steps. Texts of different lengths end at the same
 * place: a shorter one begins later, and nothing looks at the places before its start.
 */
export class KeyValueCache {
  readonly #model: Model
  readonly #limit: number
  readonly #changes: Changes
  #starts: readonly number[] = []
  #layers: LayerCache[] = []
  #length = 0
  #capacity = 0

  /** @param limit places at most */
  constructor(model: Model, limit: number, changes: Changes) {
    this.#model = model
    this.#limit = limit
    this.#changes = changes
  }

  /**
   * Computes all of the prompts; logits [rows * vocabulary] of their last tokens.
   *
   * @param width places that they take: the longest prompt's, or more
   */
  prompt(prompts: readonly (readonly number[])[], width: number): Float32Array {
    const { family, config } = this.#model
    const starts = prompts.map(({ length }) => width - length)
    const isPadded = starts.some((start) => start > 0)
    using pass = family.makePass(config, prompts.length, width, isPadded ? fromStarts(starts, width) : {})
    this.#starts = starts
    const ids = prompts.flatMap((prompt, row) => [...Array<number>(starts[row]!).fill(0), ...prompt])
    const result = this.#run(ids, pass, (keys, values) => ({ keys, values }))
    this.#length = width
    this.#capacity = width
    return result
  }

  /** Computes one more token of each row; logits [rows * vocabulary] after them. */
  next(ids: readonly number[]): Float32Array {
    if (this.#length === this.#capacity) this.#grow()
    const family = languageFamily(this.#model)
    using pass = family.makeStep(this.#model.config, this.#length, this.#capacity, this.#starts)
    return backendExtras().atOnce(() => {
      const result = this.#run(ids, pass, (keys, values, layer) => ({
        keys: withPlace(this.#layers[layer]!.keys, keys, this.#length),
        values: withPlace(this.#layers[layer]!.values, values, this.#length),
      }))
      this.#length++
      return result
    })
  }

  #grow(): void {
    const more = hasCheapRoom() ? Math.max(cacheStep, this.#capacity) : cacheStep
    const capacity = Math.min(this.#limit, Math.floor((this.#capacity + more) / cacheStep) * cacheStep)
    const extend = (tensor: Tensor) => {
      const longer = withRoom(tensor, capacity)
      tensor.dispose()
      return longer
    }
    this.#layers = this.#layers.map(({ keys, values }) => ({ keys: extend(keys), values: extend(values) }))
    this.#capacity = capacity
    flushBackend()
  }

  #run(
    ids: readonly number[],
    pass: Pass,
    extend: (keys: Tensor, values: Tensor, layer: number) => LayerCache,
  ): Float32Array {
    const { adapter, masks } = this.#changes
    const caches: LayerCache[] = []
    const x = forward(this.#model, embedIds(this.#model, ids), pass, {
      extras: (layer) => ({
        lowRank: adapter && lowRankOf(adapter, layer),
        mask: masks?.[layer],
        remember: (keys, values) => {
          const all = extend(keys, values, layer)
          caches.push({ keys: tf.keep(all.keys), values: tf.keep(all.values) })
          return all
        },
      }),
      // One token a row is so little work that all blocks run as one graph where there is one; a prompt runs block by block.
      flushes: pass.length > 1,
    })
    this.dispose()
    this.#layers = caches
    const last = tf.tidy(() => lastOfRows(x, pass))
    flushBackend()
    const scores = backendExtras().atOnce(() => tf.tidy(() => logits(last, this.#model)))
    tf.dispose([x, last])
    const result = scores.dataSync() as Float32Array
    scores.dispose()
    return result
  }

  dispose(): void {
    for (const { keys, values } of this.#layers) tf.dispose([keys, values])
    this.#layers = []
  }
}

/** Positions and sight of rows that begin at `starts` of `width` places. */
function fromStarts(starts: readonly number[], width: number) {
  const positions = Int32Array.from({ length: starts.length * width }, (_, at) =>
    Math.max(0, (at % width) - starts[Math.floor(at / width)]!),
  )
  return { positions, visible: (row: number, _query: number, key: number) => key >= starts[row]! }
}

/** The last token of each row of x [rows * length, hidden]: [rows, hidden]. */
function lastOfRows(x: Tensor, { rows, length }: Pass): Tensor {
  const hidden = x.shape[1]!
  if (rows === 1) return tf.slice(x, [length - 1, 0], [1, hidden])
  return tf.reshape(tf.slice(tf.reshape(x, [rows, length, hidden]), [0, length - 1, 0], [rows, 1, hidden]), [
    rows,
    hidden,
  ])
}
