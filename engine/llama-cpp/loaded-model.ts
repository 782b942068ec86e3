import { type Addon, type AddonContext, type AddonModel, type AddonSampler } from './addon.ts'
import { logProbabilitiesOf } from './log-probabilities.ts'
import type { ToldToken, WriteRequest } from './messages.ts'

/** Tokens of a prompt that are computed at once: more take memory, and win nothing on a processor. */
const batchSize = 256
/** Tokens of a text that is scored: the logits of each are held. */
const scoredAtOnce = 32
/** Places by which a context grows: llama.cpp's own step. */
const contextStep = 256
const sequence = 0

/** How long a text took to write. */
interface Written {
  tokens: number
  promptSeconds: number
  generationSeconds: number
}

/** A GGUF file that llama.cpp has loaded into this process. */
export class LoadedModel {
  readonly #addon: Addon
  readonly #model: AddonModel
  /** Takes the likeliest token, and changes no logit. */
  readonly #plain: AddonSampler
  #context: AddonContext | null = null
  #places = 0

  private constructor(addon: Addon, model: AddonModel) {
    this.#addon = addon
    this.#model = model
    this.#plain = new addon.AddonSampler(model)
    this.#plain.applyConfig({ temperature: 0 })
  }

  /** @throws Error where llama.cpp cannot load it; what it says itself of the reason goes to the addon's logger */
  static async load(addon: Addon, file: string, onShare: (share: number) => void): Promise<LoadedModel> {
    const model = new addon.AddonModel(file, {
      addonExports: addon,
      // All of them, where there is a card.
      gpuLayers: addon.getGpuType() ? 10_000 : 0,
      useMmap: true,
      onLoadProgress: onShare,
    })
    if (!(await model.init())) throw new Error('the file could not be loaded')
    return new LoadedModel(addon, model)
  }

  get bytes(): number {
    return this.#model.getTotalSize()
  }

  /** Continues a prompt until a token ends the text, the limit is reached, or `isOver` says so. */
  async write(request: WriteRequest, onToken: (token: ToldToken) => void, isOver: () => boolean): Promise<Written> {
    const { prompt, tokens, stop, alternatives } = request
    const context = await this.#roomFor(prompt.length + tokens, request.threads)
    using made = new DisposableStack()
    const sampler = made.adopt(new this.#addon.AddonSampler(this.#model), (each) => each.dispose())
    sampler.applyConfig(samplingOf(request))
    const started = performance.now()
    let place = await this.#read(context, prompt, isOver)
    const prompted = performance.now()
    let written = 0
    while (place !== null && !isOver()) {
      const id = await context.sampleToken(place, sampler)
      if (id < 0 || stop.includes(id)) break
      written++
      onToken({ id, ...(alternatives === undefined ? {} : await this.#likelihood(context, place, id, alternatives)) })
      if (written === tokens) break
      place = await this.#last(context, prompt.length + written - 1, [id])
    }
    return {
      tokens: written,
      promptSeconds: (prompted - started) / 1000,
      generationSeconds: (performance.now() - prompted) / 1000,
    }
  }

  /** Log-probabilities of all tokens of a text but the first. */
  async score(text: readonly number[], threads: number, isOver: () => boolean): Promise<number[]> {
    const context = await this.#roomFor(text.length, threads)
    const values: number[] = []
    for (let at = 0; at + 1 < text.length && !isOver(); at += scoredAtOnce) {
      const ids = text.slice(at, Math.min(at + scoredAtOnce, text.length - 1))
      const places = await this.#add(context, at, ids, [...ids.keys()])
      for (const [index, place] of places.entries())
        values.push((await this.#likelihood(context, place, text[at + index + 1]!, 0)).logProbability)
    }
    return values
  }

  async #likelihood(context: AddonContext, place: number, id: number, count: number) {
    const wanted: [number[], boolean, boolean, boolean, number] = [[id], false, false, false, Math.max(1, count)]
    const told = await context.sampleToken(place, this.#plain, false, false, wanted, true)
    const isTold = told[3] !== undefined
    return logProbabilitiesOf(
      isTold ? told : await context.sampleToken(place, this.#plain, true, false, false, false),
      id,
      count,
    )
  }

  /** Computes a prompt; where in the batch the logits of its last token lie, or null where it was left before its end. */
  async #read(context: AddonContext, ids: readonly number[], isOver: () => boolean): Promise<number | null> {
    let place: number | null = null
    for (let at = 0; at < ids.length; at += batchSize) {
      if (isOver()) return null
      place = await this.#last(context, at, ids.slice(at, at + batchSize))
    }
    return place
  }

  /** Computes tokens; where in the batch the logits of the last one lie. */
  async #last(context: AddonContext, position: number, ids: readonly number[]): Promise<number> {
    const [place] = await this.#add(context, position, ids, [ids.length - 1])
    return place!
  }

  /** Computes tokens; where in the batch the logits of those lie that are wanted. */
  async #add(
    context: AddonContext,
    position: number,
    ids: readonly number[],
    wanted: readonly number[],
  ): Promise<Uint32Array> {
    context.initBatch(ids.length)
    const places = context.addToBatch(sequence, position, Uint32Array.from(ids), Uint32Array.from(wanted))
    await context.decodeBatch()
    return places
  }

  /** An empty context of so many places at least. */
  async #roomFor(places: number, threads: number): Promise<AddonContext> {
    if (this.#context && places <= this.#places) {
      this.#context.disposeSequence(sequence)
      this.#context.setThreads(threads)
      return this.#context
    }
    await this.#context?.dispose()
    this.#context = null
    const contextSize = Math.ceil(places / contextStep) * contextStep
    const context = new this.#addon.AddonContext(this.#model, {
      contextSize,
      batchSize,
      sequences: 1,
      threads,
      flashAttention: 'auto',
    })
    if (!(await context.init())) throw new Error(`there is no room for ${places} tokens`)
    this.#context = context
    this.#places = contextSize
    return context
  }
}

/** llama.cpp's own order is top-k, top-p, temperature. */
function samplingOf({ temperature, topP, topK, seed }: WriteRequest) {
  if (temperature === 0) return { temperature }
  return { temperature, seed: seed % 2 ** 32, ...(topP < 1 && { topP }), ...(topK > 0 && { topK }) }
}
