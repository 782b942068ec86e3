import { setImmediate } from 'node:timers/promises'
import { flushBackend } from '../backends/extras.ts'
import { type Adapter, lowRankOf } from '../lora/adapter.ts'
import type { LayerCache, LayerMask, Model, Pass } from '../models/family.ts'
import { embedIds, forward, languageFamily, logits } from '../models/forward.ts'
import type { Random } from '../shared/random.ts'
import { type Tensor, tf } from '../tensor/tf.ts'
import { checkPrompt } from './prompt.ts'

export interface GenerationSettings {
  /** New tokens at most. */
  tokens: number
  /** 0 takes the likeliest token; otherwise logits are divided by it before a token is drawn. */
  temperature: number
  /** The smallest set of likeliest tokens whose probabilities reach this is drawn from (1: all). */
  topP: number
  /** As many of the likeliest tokens are drawn from at most (0, or not given: all); `topP` is a share of theirs. */
  topK?: number
  random: Random
  /** Token ids at which to stop. */
  stop: readonly number[]
  onToken?: (id: number) => void
  signal?: AbortSignal | undefined
}

export interface Generation {
  /** The new ids, without the stopping one. */
  ids: number[]
  promptSeconds: number
  generationSeconds: number
}

/** Positions by which a cache grows: each capacity compiles its own graph. */
const cacheStep = 64

/** Elements of weights that the graph of a token may widen to float32: with more, every block is a graph of its own. */
export const mostWidenedAtOnce = 2 ** 28

/** Elements of the blocks' weights that are widened for a product. */
const widenedElements = ({ layers }: Model): number =>
  layers
    .flatMap(({ linears }) => Object.values(linears))
    .reduce(
      (sum, { weight }) => sum + ('dataId' in weight || weight.form === 'float32' ? 0 : weight.rows * weight.columns),
      0,
    )

/** What changes a model that generates: an adapter that is being trained, groups that have left. */
export interface Changes {
  adapter?: Adapter | undefined
  masks?: readonly LayerMask[] | undefined
}

/**
 * Continues a prompt with a key-value cache: the prompt is computed at once, then one token at a time.
 *
 * @throws SecateurError where the prompt is empty or does not fit the model's positions.
 */
export async function generate(
  model: Model,
  prompt: number[],
  settings: GenerationSettings,
  changes: Changes = {},
): Promise<Generation> {
  const { maxPositions } = model.config
  checkPrompt(prompt, maxPositions)
  const most = Math.min(settings.tokens, maxPositions - prompt.length)
  const cache = new Cache(model, prompt.length + most, changes)
  const ids: number[] = []
  const started = performance.now()
  let last = cache.prompt(prompt)
  const prompted = performance.now()
  try {
    while (ids.length < most) {
      settings.signal?.throwIfAborted()
      const id = pick(last, settings)
      if (settings.stop.includes(id)) break
      ids.push(id)
      settings.onToken?.(id)
      if (ids.length < most) last = cache.next(id)
      await setImmediate()
    }
  } finally {
    cache.dispose()
  }
  return {
    ids,
    promptSeconds: (prompted - started) / 1000,
    generationSeconds: (performance.now() - prompted) / 1000,
  }
}

/** The next id: the likeliest, or drawn from the nucleus (Holtzman et al., arXiv 1904.09751). */
export function pick(scores: Float32Array, { temperature, topP, topK = 0, random }: GenerationSettings): number {
  let best = 0
  for (let id = 1; id < scores.length; id++) if (scores[id]! > scores[best]!) best = id
  if (temperature === 0) return best
  const weights = Array.from(scores, (score, id) => ({ id, weight: Math.exp((score - scores[best]!) / temperature) }))
  weights.sort((one, other) => other.weight - one.weight || one.id - other.id)
  if (topK > 0) weights.splice(topK)
  const total = weights.reduce((sum, { weight }) => sum + weight, 0)
  let size = 0
  let nucleus = 0
  while (size < weights.length && nucleus < topP * total) nucleus += weights[size++]!.weight
  let point = random.uniform() * nucleus
  for (const { id, weight } of weights.slice(0, size)) {
    point -= weight
    if (point < 0) return id
  }
  return best
}

/** Keys and values of one sequence, in arrays of a capacity that grows in steps. */
class Cache {
  readonly #model: Model
  readonly #limit: number
  readonly #changes: Changes
  readonly #isLarge: boolean
  #layers: LayerCache[] = []
  #length = 0
  #capacity = 0

  constructor(model: Model, limit: number, changes: Changes) {
    this.#model = model
    this.#limit = limit
    this.#changes = changes
    this.#isLarge = widenedElements(model) > mostWidenedAtOnce
  }

  /** Computes all of a prompt; logits of its last position. */
  prompt(ids: readonly number[]): Float32Array {
    const { family, config } = this.#model
    using pass = family.makePass(config, 1, ids.length)
    const result = this.#run(ids, pass, (keys, values) => ({ keys, values }))
    this.#length = ids.length
    this.#capacity = ids.length
    return result
  }

  /** Computes one more token; logits after it. */
  next(id: number): Float32Array {
    if (this.#length === this.#capacity) this.#grow()
    const family = languageFamily(this.#model)
    using pass = family.makeStep(this.#model.config, this.#length, this.#capacity)
    const here = new Float32Array(this.#capacity)
    here[this.#length] = 1
    const place = tf.tensor4d(here, [1, this.#capacity, 1, 1])
    const result = this.#run([id], pass, (keys, values, layer) => ({
      keys: tf.add(this.#layers[layer]!.keys, tf.mul(keys, place)),
      values: tf.add(this.#layers[layer]!.values, tf.mul(values, place)),
    }))
    place.dispose()
    this.#length++
    return result
  }

  #grow(): void {
    const capacity = Math.min(this.#limit, (Math.floor(this.#capacity / cacheStep) + 1) * cacheStep)
    const more = capacity - this.#capacity
    const extend = (tensor: Tensor) => {
      const longer = tf.pad(tensor, [
        [0, 0],
        [0, more],
        [0, 0],
        [0, 0],
      ])
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
      // One token is so little work that all blocks run as one graph, where that can widen their weights at once; a prompt
      // runs block by block.
      flushes: ids.length > 1 || this.#isLarge,
    })
    this.dispose()
    this.#layers = caches
    const scores = tf.tidy(() =>
      logits(tf.slice(x, [ids.length - 1, 0], [1, this.#model.config.hiddenSize]), this.#model),
    )
    x.dispose()
    const result = scores.dataSync() as Float32Array
    scores.dispose()
    return result
  }

  dispose(): void {
    for (const { keys, values } of this.#layers) tf.dispose([keys, values])
    this.#layers = []
  }
}
