import { chooseBackend } from '../backends/choose.ts'
import { openCheckpoint } from '../models/checkpoint.ts'
import type { EngineEvent } from '../contract/index.ts'
import { announceSizes } from '../estimate/announce.ts'
import { checkpointWarnings } from '../estimate/job-warnings.ts'
import { generate } from '../evaluation/generation.ts'
import { encodePrompt } from '../evaluation/prompt.ts'
import { disposeModel, loadModelInSlices } from '../models/load.ts'
import { openTokenizer } from '../models/model-tokenizer.ts'
import { stopIdsOf } from '../models/stop-ids.ts'
import { Random } from '../shared/random.ts'
import type { GenerateSettings } from './settings.ts'

export interface GenerateResult {
  type: 'result'
  /** The continuation alone. */
  text: string
  ids: number[]
  promptTokens: number
  tokensPerSecond: number
}

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
  await chooseBackend(settings)
  const tokenizer = await openTokenizer(checkpoint)
  const prompt = encodePrompt(tokenizer, settings.prompt)
  const { maxNewTokens } = settings
  announceSizes({ kind: 'generate', prompt: prompt.length, maxNewTokens }, checkpoint, emit)
  const model = await loadModelInSlices(checkpoint, { signal })
  const before = tokenizer.decode(prompt)
  let shown = before.length
  const all = [...prompt]
  const { ids, generationSeconds } = await generate(model, prompt, {
    tokens: maxNewTokens,
    temperature: settings.greedy ? 0 : settings.temperature,
    topP: settings.topP,
    topK: settings.topK,
    random: new Random(settings.seed),
    stop,
    signal,
    onToken: (id) => {
      all.push(id)
      const text = tokenizer.decode(all)
      // A character whose bytes have not all come yet is held back.
      if (text.endsWith('�')) return
      onText?.(text.slice(shown))
      shown = text.length
    },
  })
  disposeModel(model)
  const text = tokenizer.decode([...prompt, ...ids]).slice(before.length)
  return { type: 'result', text, ids, promptTokens: prompt.length, tokensPerSecond: ids.length / generationSeconds }
}
