import type { LoadedModel, WritingInput, WritingModel, WritingSettings, Written } from '../contract/index.ts'
import type { ChosenRunner } from '../llama-cpp/choose.ts'
import { llamaCppMemory, memoryBesideCard, requireLlamaCppMemory } from '../llama-cpp/memory.ts'
import type { ToldToken } from '../llama-cpp/messages.ts'
import { type Opened, openOnLlamaCpp, shareOpened } from '../llama-cpp/open.ts'
import { threadsFor } from '../llama-cpp/threads.ts'
import { type Checkpoint, openCheckpoint } from '../models/checkpoint.ts'
import { openTokenizer } from '../models/model-tokenizer.ts'
import type { WorkControl } from '../shared/work-control.ts'
import { ModelText } from './model-text.ts'
import { usualWork, type Writer, type WritingControl } from './writer.ts'

export interface LlamaCppSettings {
  chosen: Extract<ChosenRunner, { runner: 'llama.cpp' }>
  threads: number | undefined
  /** Makes a back end current, where the proof needs one. */
  computes: () => Promise<unknown>
}

/** A checkpoint on llama.cpp. */
export class LlamaCppWriter implements Writer {
  readonly facts: LoadedModel
  readonly #checkpoint: Checkpoint
  readonly #text: ModelText
  readonly #opened: Opened
  readonly #threads: number | undefined
  #heldBytes: number

  private constructor(
    checkpoint: Checkpoint,
    { text, opened }: { text: ModelText; opened: Opened },
    { chosen, threads }: LlamaCppSettings,
  ) {
    this.#checkpoint = checkpoint
    this.#text = text
    this.#opened = opened
    this.#threads = threads
    this.#heldBytes = opened.model.bytes
    this.facts = {
      ran: { ...opened.ran, why: chosen.why },
      weightBytes: opened.model.bytes,
      chatTemplate: text.hasTemplate,
      maxPositions: checkpoint.config.maxPositions,
    }
  }

  /** Loads it, if it fits. @throws SecateurError as `openOnLlamaCpp` does */
  static async open(
    { checkpoint: path, type }: WritingModel,
    settings: LlamaCppSettings,
    { signal, progress }: WorkControl,
  ): Promise<LlamaCppWriter> {
    using made = new DisposableStack()
    const checkpoint = made.use(openCheckpoint(path))
    const text = new ModelText(checkpoint, await openTokenizer(checkpoint))
    const { threads, computes } = settings
    const places = usualWork.prompt + usualWork.maxNewTokens
    const opened = await openOnLlamaCpp(
      checkpoint,
      settings.chosen.builds,
      { type, threads, places, computes },
      {
        signal,
        say: () => {},
        estimated: () => {},
        progress: (stage, done, total) => progress(shareOpened(stage, done, total), 1),
      },
    )
    const writer = new LlamaCppWriter(checkpoint, { text, opened }, settings)
    made.move()
    return writer
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  get isOver(): boolean {
    return this.#opened.model.hasEnded
  }

  async write(input: WritingInput, settings: WritingSettings, { signal, onPiece }: WritingControl): Promise<Written> {
    const prompt = this.#text.encode(input)
    const tokens = this.#text.limit(prompt, settings)
    const { ran, weightBytes: bytes } = this.facts
    const { config, parameters } = this.#checkpoint
    const { llama, model } = this.#opened
    const needs = { config, file: { bytes, type: ran.type }, places: prompt.length + tokens }
    const isOnCard = llama.build !== 'processor'
    const needed = isOnCard ? memoryBesideCard(needs, model.on.unified) : llamaCppMemory(needs)
    requireLlamaCppMemory(needed - this.#heldBytes)
    const threads = await threadsFor(parameters, this.#threads, isOnCard)
    const stream = this.#text.stream(prompt, settings.stop, onPiece)
    // A text that ends the answer is seen here, where tokens become text.
    const stopped = new AbortController()
    let told = 0
    const onToken = ({ id, logProbability, likeliest }: ToldToken) => {
      if (stream.stopped || signal.aborted) return
      told++
      const facts =
        logProbability === undefined ? {} : this.#text.facts({ logProbability, likeliest: likeliest ?? [] }, stream)
      stream.token(id, facts)
      if (stream.stopped) stopped.abort()
    }
    const { temperature, topP, topK, seed, alternatives } = settings
    const stop = this.#text.stopIds(input)
    const written = await this.#opened.model.write(
      {
        prompt,
        tokens,
        threads,
        temperature,
        topP,
        topK,
        seed,
        stop,
        ...(alternatives !== undefined && { alternatives }),
      },
      { signal: AbortSignal.any([signal, stopped.signal]), onToken },
    )
    this.#heldBytes = written.heldBytes
    signal.throwIfAborted()
    stream.end()
    const { promptSeconds, generationSeconds } = written
    const ended = this.#text.ended(stream, told, prompt, settings)
    return { promptTokens: prompt.length, tokens: told, promptSeconds, generationSeconds, threads, ended }
  }

  [Symbol.dispose](): void {
    this.#opened[Symbol.dispose]()
    this.#checkpoint.close()
  }
}
