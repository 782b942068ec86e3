import type { Choice } from '../backends/choose.ts'
import type { LoadedModel, WritingInput, WritingModel, WritingSettings, Written } from '../contract/index.ts'
import { weightBytes } from '../estimate/held-memory.ts'
import { generate } from '../evaluation/generation.ts'
import { ranOnBackend } from '../llama-cpp/finished-runner.ts'
import { loadAdapter } from '../lora/load-adapter.ts'
import { type Checkpoint, openCheckpoint } from '../models/checkpoint.ts'
import type { Model } from '../models/family.ts'
import { disposeModel, loadModelInSlices } from '../models/load.ts'
import { openTokenizer } from '../models/model-tokenizer.ts'
import { Random } from '../shared/random.ts'
import type { WorkControl } from '../shared/work-control.ts'
import { logProbabilities } from './log-probabilities.ts'
import { requireMemory } from './memory.ts'
import { ModelText } from './model-text.ts'
import { usualWork, type Writer, type WritingControl } from './writer.ts'

type Adapter = ReturnType<typeof loadAdapter>

interface Opened {
  checkpoint: Checkpoint
  text: ModelText
  model: Model
  adapter: Adapter | undefined
}

/** How a model is opened on Secateur's own engine. */
export interface OwnSettings {
  /** The back end that is the current one. */
  choice: Choice
  /** Why it is not llama.cpp; null where Secateur is asked for. */
  why: string | null
  /** Bytes of the weights of other models in this process. */
  othersBytes: () => number
}

/** A checkpoint, with an adapter or without, on Secateur's own engine. */
export class OwnWriter implements Writer {
  readonly facts: LoadedModel
  readonly heldBytes = 0
  readonly isOver = false
  readonly #opened: Opened
  readonly #othersBytes: () => number

  private constructor(opened: Opened, { choice, why, othersBytes }: OwnSettings) {
    const { checkpoint, text } = opened
    this.#opened = opened
    this.#othersBytes = othersBytes
    this.facts = {
      ran: ranOnBackend(choice, checkpoint, why),
      weightBytes: weightBytes(usualWork, checkpoint),
      chatTemplate: text.hasTemplate,
      maxPositions: checkpoint.config.maxPositions,
    }
  }

  /** Loads it, if it fits. The back end must have been chosen. */
  static async open(
    { checkpoint: path, adapter: folder }: WritingModel,
    settings: OwnSettings,
    { signal, progress }: WorkControl,
  ): Promise<OwnWriter> {
    using made = new DisposableStack()
    const checkpoint = made.use(openCheckpoint(path))
    const text = new ModelText(checkpoint, await openTokenizer(checkpoint))
    requireMemory(usualWork, checkpoint, settings.othersBytes())
    let read = 0
    const onProgress = (bytes: number) => progress((read += bytes), Math.max(read, checkpoint.bytes))
    const model = await loadModelInSlices(checkpoint, { signal, onProgress })
    made.defer(() => disposeModel(model))
    const adapter = folder === undefined ? undefined : made.use(loadAdapter(folder, checkpoint))
    const writer = new OwnWriter({ checkpoint, text, model, adapter }, settings)
    made.move()
    return writer
  }

  async write(input: WritingInput, settings: WritingSettings, { signal, onPiece }: WritingControl): Promise<Written> {
    const { checkpoint, text, model, adapter } = this.#opened
    const prompt = text.encode(input)
    const { maxNewTokens, stop, alternatives } = settings
    requireMemory({ kind: 'generate', prompt: prompt.length, maxNewTokens }, checkpoint, this.#othersBytes())
    const stream = text.stream(prompt, stop, onPiece)
    const { ids, promptSeconds, generationSeconds } = await generate(
      model,
      prompt,
      {
        ...settings,
        tokens: maxNewTokens,
        random: new Random(settings.seed),
        stop: text.stopIds(input),
        signal,
        onToken: (id, scores) =>
          stream.token(
            id,
            alternatives === undefined ? {} : text.facts(logProbabilities(scores(), id, alternatives), stream),
          ),
        isOver: () => stream.stopped,
      },
      { adapter },
    )
    stream.end()
    const ended = text.ended(stream, ids.length, prompt, settings)
    return { promptTokens: prompt.length, tokens: ids.length, promptSeconds, generationSeconds, ended }
  }

  [Symbol.dispose](): void {
    const { adapter, model, checkpoint } = this.#opened
    adapter?.[Symbol.dispose]()
    disposeModel(model)
    checkpoint.close()
  }
}
