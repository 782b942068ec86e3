import { type Choice, chooseBackend } from '../backends/choose.ts'
import { type Checkpoint, openCheckpoint } from '../models/checkpoint.ts'
import type { EngineEvent, Ran } from '../contract/index.ts'
import { announceSizes } from '../estimate/announce.ts'
import { checkpointWarnings } from '../estimate/job-warnings.ts'
import { generate } from '../evaluation/generation.ts'
import { checkPrompt, encodePrompt } from '../evaluation/prompt.ts'
import { type ChosenRunner, chooseRunner } from '../llama-cpp/choose.ts'
import { ranOnBackend } from '../llama-cpp/finished-runner.ts'
import { openOnLlamaCpp } from '../llama-cpp/open.ts'
import { openControl, orElse } from '../llama-cpp/or-else.ts'
import { ranText } from '../llama-cpp/ran-text.ts'
import { disposeModel, loadModelInSlices } from '../models/load.ts'
import { openTokenizer } from '../models/model-tokenizer.ts'
import { stopIdsOf } from '../models/stop-ids.ts'
import { TextStream } from '../playground/text-stream.ts'
import { Random } from '../shared/random.ts'
import type { GenerateSettings } from './settings.ts'

export interface GenerateResult {
  type: 'result'
  /** The continuation alone. */
  text: string
  ids: number[]
  promptTokens: number
  tokensPerSecond: number
  ran: Ran
}

/** What is written, and how. */
interface Writing {
  checkpoint: Checkpoint
  settings: GenerateSettings
  prompt: number[]
  /** New tokens at most. */
  tokens: number
  stop: readonly number[]
  computes: () => Promise<Choice>
  emit: (event: EngineEvent) => void
  signal: AbortSignal
  onToken: (id: number) => void
}

/** New ids are told; this is the rest. */
type Written = { seconds: number; ran: Ran }

/** Continues a prompt; `onText` sees the text as it grows, `emit` hears the estimate and what is odd about the checkpoint. */
export async function generateText(
  settings: GenerateSettings,
  signal: AbortSignal,
  onText?: (more: string) => void,
  emit: (event: EngineEvent) => void = () => {},
): Promise<GenerateResult> {
  using checkpoint = openCheckpoint(settings.checkpoint)
  for (const message of await checkpointWarnings(checkpoint)) emit({ type: 'warning', message })
  const stop = stopIdsOf(checkpoint)
  const tokenizer = await openTokenizer(checkpoint)
  const prompt = encodePrompt(tokenizer, settings.prompt)
  checkPrompt(prompt, checkpoint.config.maxPositions)
  let choice: Promise<Choice> | undefined
  const computes = () => (choice ??= chooseBackend(settings))
  const decode = (ids: readonly number[]) => tokenizer.decode(ids)
  const stream = new TextStream(prompt, { decode, stops: [] }, ({ text }) => onText?.(text))
  const ids: number[] = []
  const onToken = (id: number) => {
    ids.push(id)
    stream.token(id, {})
  }
  const tokens = Math.min(settings.maxNewTokens, checkpoint.config.maxPositions - prompt.length)
  const writing = { checkpoint, settings, prompt, tokens, stop, computes, emit, signal, onToken }
  const chosen = await chooseRunner(checkpoint, { ...settings, computes })
  const { seconds, ran } = await orElse(chosen, settings.runner, {
    onLlamaCpp: (llama) => onLlamaCpp(llama, writing),
    onSecateur: (why) => onSecateur(why, writing),
    begun: () => ids.length > 0,
  })
  stream.end()
  const text = decode([...prompt, ...ids]).slice(decode(prompt).length)
  return { type: 'result', text, ids, promptTokens: prompt.length, tokensPerSecond: ids.length / seconds, ran }
}

async function onLlamaCpp(
  chosen: Extract<ChosenRunner, { runner: 'llama.cpp' }>,
  { checkpoint, settings, prompt, tokens, stop, computes, emit, signal, onToken }: Writing,
): Promise<Written> {
  const { type, threads, greedy, topP, topK, seed } = settings
  const places = prompt.length + tokens
  using opened = await openOnLlamaCpp(
    checkpoint,
    chosen.builds,
    { type, threads, places, computes },
    openControl(emit, signal),
  )
  const ran = { ...opened.ran, why: chosen.why }
  emit({ type: 'log', level: 'info', message: ranText(ran) })
  const sampling = { temperature: greedy ? 0 : settings.temperature, topP, topK, seed }
  const written = await opened.model.write(
    { prompt, tokens, threads: ran.threads!, ...sampling, stop: [...stop] },
    { signal, onToken: ({ id }) => onToken(id) },
  )
  signal.throwIfAborted()
  return { seconds: written.generationSeconds, ran }
}

async function onSecateur(
  why: string | null,
  { checkpoint, settings, prompt, tokens, stop, computes, emit, signal, onToken }: Writing,
): Promise<Written> {
  const choice = await computes()
  announceSizes({ kind: 'generate', prompt: prompt.length, maxNewTokens: tokens }, checkpoint, emit)
  const ran = ranOnBackend(choice, checkpoint, why)
  emit({ type: 'log', level: 'info', message: ranText(ran) })
  const model = await loadModelInSlices(checkpoint, { signal })
  try {
    const { generationSeconds } = await generate(model, prompt, {
      tokens,
      temperature: settings.greedy ? 0 : settings.temperature,
      topP: settings.topP,
      topK: settings.topK,
      random: new Random(settings.seed),
      stop,
      signal,
      onToken,
    })
    return { seconds: generationSeconds, ran }
  } finally {
    disposeModel(model)
  }
}
