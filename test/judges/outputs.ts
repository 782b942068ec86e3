import { join } from 'node:path'
import type { ExportGgufJob, GgufType } from '../../engine/contract/export.ts'
import { jobSchema, type ResultEvent } from '../../engine/contract/index.ts'
import { generateText } from '../../engine/jobs/generate.ts'
import { generateSchema } from '../../engine/jobs/settings.ts'
import { importCheckpoint } from '../../engine/jobs/import.ts'
import { runJob } from '../../engine/jobs/index.ts'
import { SecateurError } from '../../engine/shared/errors.ts'

const machine = { device: 'onnx', threads: 2 }
const training = { sequenceLength: 32, batchSize: 2, rank: 4, learningRate: 0.01, ...machine }
const { signal } = new AbortController()
const continued = { prompt: 'once upon a', tokens: 24 }

/** Runs a job in this process: a process of its own for each of hundreds would take most of the time. */
const run = (job: object): Promise<ResultEvent> =>
  runJob(jobSchema.parse(job), { emit: () => {}, signal, resume: false })

/** Trains an adapter on every linear layer, or on some; its PEFT folder. */
export async function finetune(model: string, text: string, out: string, modules: string[] = []): Promise<string> {
  const some = modules.length > 0 ? { targetModules: modules } : {}
  await run({ kind: 'finetune', checkpoint: model, data: [text], out, steps: 4, ...training, ...some })
  return join(out, 'output')
}

/** Prunes at a ratio of 0.5, unless the settings say another; the smaller checkpoint. */
export async function prune(model: string, text: string, out: string, settings: object): Promise<string> {
  const schedule = { steps: 6, frequency: 1, ratio: 0.5 }
  await run({ kind: 'prune', checkpoint: model, data: [text], out, ...schedule, ...training, ...settings })
  return join(out, 'output')
}

export async function merge(model: string, adapter: string, out: string): Promise<string> {
  await run({ kind: 'merge', checkpoint: model, adapter, out })
  return out
}

export async function importGguf(file: string, out: string): Promise<string> {
  await importCheckpoint({ file, out, outputDtype: 'same' }, signal, () => {})
  return out
}

/** The perplexity of the beginning of a text, in windows of so many tokens that do not overlap. */
export async function measurePerplexity(checkpoint: string, text: string, { window = 64, windows = 16 } = {}) {
  const evaluation = { perplexity: { text }, window, maxWindows: windows }
  const { perplexity } = await run({ kind: 'evaluate', checkpoint, evaluation, ...machine })
  return { text, window, windows, value: perplexity!['text']!.value }
}

export async function continuation(checkpoint: string) {
  const { prompt, tokens } = continued
  const settings = generateSchema.parse({ checkpoint, prompt, maxNewTokens: tokens, greedy: true, ...machine })
  const { ids } = await generateText(settings, signal)
  return { ...continued, ids }
}

/** Writes a checkpoint as GGUF; says why where it cannot be said in it. */
export async function exportGguf(
  checkpoint: string,
  file: string,
  type: GgufType,
  settings: Partial<Pick<ExportGgufJob, 'layout' | 'calibrate' | 'proof'>> = {},
): Promise<{ file: string } | { refused: string }> {
  try {
    await run({ kind: 'export', checkpoint, format: 'gguf', type, out: file, ...settings, ...machine })
    return { file }
  } catch (error) {
    if (!(error instanceof SecateurError)) throw error
    return { refused: error.message.replace(`${checkpoint}/`, '') }
  }
}

/** Writes a checkpoint as a folder of ONNX, in the type that most of its weights have. */
export async function exportOnnx(checkpoint: string, out: string): Promise<string> {
  await run({ kind: 'export', checkpoint, format: 'onnx', out, ...machine })
  return out
}

/** Scores task files; their accuracies, and a line for each row in the file of predictions. */
export async function scoreTasks(
  checkpoint: string,
  asked: {
    files: Readonly<Record<string, string>>
    predictions: string
    fewShot?: number
    train?: Readonly<Record<string, string>> | undefined
    lmEvalJson?: string
  },
): Promise<Record<string, TaskAccuracy>> {
  const { files, train, ...settings } = asked
  const evaluation = { tasks: files, ...settings, ...(train ? { fewShotFrom: train } : {}) }
  const { tasks } = await run({ kind: 'evaluate', checkpoint, evaluation, ...machine })
  return Object.fromEntries(
    Object.entries(tasks!).map(([task, { acc, accNorm = null, perplexity = null }]) => [
      task,
      { acc, accNorm, perplexity },
    ]),
  )
}

/** Metrics that a task reports; null for those that it does not. */
export interface TaskAccuracy {
  acc: number
  accNorm: number | null
  perplexity: number | null
}
