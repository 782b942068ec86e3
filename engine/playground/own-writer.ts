import type { Choice } from '../backends/choose.ts'
import type { LoadedModel, WritingInput, WritingModel, WritingSettings, Written } from '../contract/index.ts'
import { weightBytes } from '../estimate/held-memory.ts'
import { generate } from '../evaluation/generation.ts'
import { checkPrompt, encodePrompt } from '../evaluation/prompt.ts'
import { loadAdapter } from '../lora/load-adapter.ts'
import { type Checkpoint, openCheckpoint } from '../models/checkpoint.ts'
import type { Model } from '../models/family.ts'
import { disposeModel, loadModelInSlices } from '../models/load.ts'
import { openTokenizer } from '../models/model-tokenizer.ts'
import { stopIdsOf } from '../models/stop-ids.ts'
import { badFile, badSetting } from '../shared/errors.ts'
import { Random } from '../shared/random.ts'
import type { WorkControl } from '../shared/work-control.ts'
import type { Tokenizer } from '../tokenizer/tokenizer-type.ts'
import { logProbabilities } from './log-probabilities.ts'
import { requireMemory } from './memory.ts'
import { TextStream } from './text-stream.ts'
import type { Writer, WritingControl } from './writer.ts'

type Adapter = ReturnType<typeof loadAdapter>

/** Tokens of a prompt and of its answer that a model must have room for before it is loaded. */
const usual = { prompt: 512, maxNewTokens: 256 }

/** A checkpoint, with an adapter or without, on Secateur's own engine. */
export class OwnWriter implements Writer {
  readonly facts: LoadedModel
  readonly #checkpoint: Checkpoint
  readonly #tokenizer: Tokenizer
  readonly #model: Model
  readonly #adapter: Adapter | undefined
  readonly #othersBytes: () => number

  private constructor(
    opened: { checkpoint: Checkpoint; tokenizer: Tokenizer; model: Model; adapter: Adapter | undefined },
    { name, device }: Choice,
    othersBytes: () => number,
  ) {
    this.#checkpoint = opened.checkpoint
    this.#tokenizer = opened.tokenizer
    this.#model = opened.model
    this.#adapter = opened.adapter
    this.#othersBytes = othersBytes
    this.facts = {
      engine: 'secateur',
      backend: name,
      device,
      weightBytes: weightBytes({ kind: 'generate', ...usual }, opened.checkpoint),
      chatTemplate: hasTemplate(opened.tokenizer),
      maxPositions: opened.checkpoint.config.maxPositions,
    }
  }

  /**
   * Loads it, if it fits. The back end must have been chosen.
   *
   * @param othersBytes of the weights of other models in this process
   */
  static async open(
    { checkpoint: path, adapter: folder }: WritingModel,
    choice: Choice,
    othersBytes: () => number,
    { signal, progress }: WorkControl,
  ): Promise<OwnWriter> {
    using made = new DisposableStack()
    const checkpoint = made.use(openCheckpoint(path))
    const tokenizer = await openTokenizer(checkpoint)
    requireMemory({ kind: 'generate', ...usual }, checkpoint, othersBytes())
    let read = 0
    const onProgress = (bytes: number) => progress((read += bytes), Math.max(read, checkpoint.bytes))
    const model = await loadModelInSlices(checkpoint, { signal, onProgress })
    made.defer(() => disposeModel(model))
    const adapter = folder === undefined ? undefined : made.use(loadAdapter(folder, checkpoint))
    const writer = new OwnWriter({ checkpoint, tokenizer, model, adapter }, choice, othersBytes)
    made.move()
    return writer
  }

  async write(input: WritingInput, settings: WritingSettings, { signal, onPiece }: WritingControl): Promise<Written> {
    const { maxPositions } = this.#checkpoint.config
    const prompt = this.#encode(input)
    checkPrompt(prompt, maxPositions)
    const { maxNewTokens, stop, alternatives } = settings
    requireMemory({ kind: 'generate', prompt: prompt.length, maxNewTokens }, this.#checkpoint, this.#othersBytes())
    const decode = (ids: readonly number[]) => this.#tokenizer.decode(ids)
    const stream = new TextStream(prompt, { decode, stops: stop }, onPiece)
    const { ids, promptSeconds, generationSeconds } = await generate(
      this.#model,
      prompt,
      {
        ...settings,
        tokens: maxNewTokens,
        random: new Random(settings.seed),
        stop: this.#stopIds(input),
        signal,
        onToken: (id, scores) =>
          stream.token(id, alternatives === undefined ? {} : this.#likelihood(scores, id, alternatives, stream)),
        isOver: () => stream.stopped,
      },
      { adapter: this.#adapter },
    )
    stream.end()
    const limit = Math.min(maxNewTokens, maxPositions - prompt.length)
    const full = limit < maxNewTokens ? 'positions' : 'limit'
    const ended = stream.stopped ? 'text' : ids.length < limit ? 'token' : full
    return { promptTokens: prompt.length, tokens: ids.length, promptSeconds, generationSeconds, ended }
  }

  #encode(input: WritingInput): number[] {
    if ('prompt' in input) return encodePrompt(this.#tokenizer, input.prompt)
    if (input.messages.at(-1)!.role !== 'user') throw badSetting('messages', 'the last one must be of the user')
    const text = this.#tokenizer.chat(input.messages, { addGenerationPrompt: true })
    if (text === null)
      throw badFile(
        this.#checkpoint.folder,
        'chat_template',
        'is not there: this checkpoint was not made for chats, so give it a prompt to continue instead',
      )
    // The template has written the special tokens.
    return this.#tokenizer.encode(text, { specialTokens: false })
  }

  /** A turn of a chat may end with the tokenizer's own token where config.json names another. */
  #stopIds(input: WritingInput): number[] {
    const { eosId } = this.#tokenizer
    return [...stopIdsOf(this.#checkpoint), ...('messages' in input && eosId !== null ? [eosId] : [])]
  }

  #likelihood(scores: Float32Array, id: number, count: number, stream: TextStream) {
    const { logProbability, likeliest } = logProbabilities(scores, id, count)
    const alternatives = likeliest.map((each) => ({
      text: this.#shown(stream.preview(each.id), each.id),
      logProbability: each.logProbability,
    }))
    return { logProbability, alternatives }
  }

  /** A special token has no text, and one of some bytes of a character none that can be read: they are named instead. */
  #shown(text: string, id: number): string {
    return text === '' || text.includes('\uFFFD') ? this.#tokenizer.token(id) : text
  }

  [Symbol.dispose](): void {
    this.#adapter?.[Symbol.dispose]()
    disposeModel(this.#model)
    this.#checkpoint.close()
  }
}

/** A template that refuses this conversation is one all the same. */
function hasTemplate(tokenizer: Tokenizer): boolean {
  try {
    return tokenizer.chat([{ role: 'user', content: 'a' }], { addGenerationPrompt: true }) !== null
  } catch {
    return true
  }
}
