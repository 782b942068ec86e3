import { backendExtras, flushBackend, type RecordedWork, type StepValues } from '../backends/extras.ts'
import { readLikeliest } from '../backends/likeliest.ts'
import { type Adapter, lowRankOf } from '../lora/adapter.ts'
import type { LayerCache, LayerMask, Model, Pass, StepPass } from '../models/family.ts'
import { forward, languageFamily, logits } from '../models/forward.ts'
import { hasCheapRoom, withPlace, withRoom } from '../ops/cache.ts'
import { likeliest, ranksTokens } from '../ops/likeliest.ts'
import { type Tensor, tf } from '../tensor/tf.ts'
import { type NextScores, rowsOf } from './pick.ts'

type RecordWork = NonNullable<ReturnType<typeof backendExtras>['recordWork']>

/** One token a row, and all tensors that depend on which token it is and where it stands. */
interface Step extends Disposable {
  pass: StepPass
  /** int32 [rows] */
  ids: Tensor
  tensors: readonly Tensor[]
}

/** What a token came to: logits, or what the likeliest tokens are and how to read the logits beside them. */
interface Advanced {
  result: Float32Array
  beside(): Float32Array
}

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
  #recorded: { work: RecordedWork; step: Step; temperature: number | null } | null = null

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
    const ids = tf.tensor1d(
      prompts.flatMap((prompt, row) => [...Array<number>(starts[row]!).fill(0), ...prompt]),
      'int32',
    )
    const scores = this.#run(ids, pass, (keys, values) => ({ keys, values }))
    this.#length = width
    this.#capacity = width
    const values = scores.dataSync() as Float32Array
    tf.dispose([ids, scores])
    return values
  }

  /** Computes one more token of each row; logits [rows * vocabulary] after them. */
  next(ids: readonly number[]): Float32Array {
    return this.#advance(ids, null).result
  }

  /**
   * Computes one more token of each row; of each, what the token after it can be picked by at that temperature. A back end that
   * finds the likeliest tokens itself is not asked for all logits.
   */
  nextToPick(ids: readonly number[], temperature: number): NextScores[] {
    const { vocabularySize } = this.#model.config
    if (!backendExtras().recordWork || !ranksTokens(vocabularySize, temperature))
      return rowsOf(this.next(ids), vocabularySize)
    const { result, beside } = this.#advance(ids, temperature)
    const words = result.length / ids.length
    let all: NextScores[] | null = null
    return ids.map((_, row) => ({
      likeliest: readLikeliest(result.subarray(row * words, (row + 1) * words)),
      all: () => (all ??= rowsOf(beside(), vocabularySize))[row]!.all(),
    }))
  }

  /** @param temperature at which a token will be picked, where the likeliest are to be found; null gives logits */
  #advance(ids: readonly number[], temperature: number | null): Advanced {
    if (this.#length === this.#capacity) this.#grow()
    const { recordWork } = backendExtras()
    const advanced = recordWork ? this.#again(ids, temperature, recordWork) : this.#atOnce(ids)
    this.#length++
    return advanced
  }

  #atOnce(ids: readonly number[]): Advanced {
    const result = backendExtras().atOnce(() => {
      using step = this.#makeStep(ids)
      const scores = this.#step(step)
      const values = scores.dataSync() as Float32Array
      scores.dispose()
      return values
    })
    return { result, beside: () => result }
  }

  /** One token of each row is the same work as the one before, with other values. */
  #again(ids: readonly number[], temperature: number | null, recordWork: RecordWork): Advanced {
    const step = this.#makeStep(ids)
    if (this.#recorded?.temperature === temperature) {
      const { work } = this.#recorded
      const result = work.again(step.tensors.map((tensor) => tensor.dataSync() as StepValues))
      if (result) {
        step[Symbol.dispose]()
        return { result, beside: work.readBeside }
      }
    }
    this.#forgetRecorded()
    const work = recordWork(step.tensors, () => {
      const scores = this.#step(step)
      return temperature === null ? { result: scores } : { result: likeliest(scores, temperature), beside: scores }
    })
    this.#recorded = { work, step, temperature }
    return { result: work.first, beside: work.readBeside }
  }

  #forgetRecorded(): void {
    this.#recorded?.work.dispose()
    this.#recorded?.step[Symbol.dispose]()
    this.#recorded = null
  }

  #makeStep(ids: readonly number[]): Step {
    const pass = languageFamily(this.#model).makeStep(this.#model.config, this.#length, this.#capacity, this.#starts)
    const token = tf.tensor1d([...ids], 'int32')
    const tensors = [token, ...pass.tensors]
    return { pass, ids: token, tensors, [Symbol.dispose]: () => tf.dispose(tensors) }
  }

  #step({ ids, pass }: Step): Tensor {
    return this.#run(ids, pass, (keys, values, layer) => ({
      keys: withPlace(this.#layers[layer]!.keys, keys, pass.place),
      values: withPlace(this.#layers[layer]!.values, values, pass.place),
    }))
  }

  #grow(): void {
    this.#forgetRecorded()
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

  /** Logits [rows, vocabulary] after the last token of each row. */
  #run(ids: Tensor, pass: Pass, extend: (keys: Tensor, values: Tensor, layer: number) => LayerCache): Tensor {
    const { adapter, masks } = this.#changes
    const caches: LayerCache[] = []
    const x = forward(this.#model, this.#model.family.embed(this.#model, ids), pass, {
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
    this.#disposeLayers()
    this.#layers = caches
    const last = tf.tidy(() => lastOfRows(x, pass))
    flushBackend()
    const scores = backendExtras().atOnce(() => tf.tidy(() => logits(last, this.#model)))
    tf.dispose([x, last])
    return scores
  }

  dispose(): void {
    this.#forgetRecorded()
    this.#disposeLayers()
  }

  #disposeLayers(): void {
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
