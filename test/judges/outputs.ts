import { join } from 'node:path'
import { z } from 'zod'
import { eventSchema, type ResultEvent, type TaskName } from '../../engine/contract/index.ts'
import type { GgufType } from '../../engine/contract/export.ts'
import { secateur } from '../e2e/secateur.ts'

const training = [
  '--threads',
  '2',
  '--sequence-length',
  '32',
  '--batch-size',
  '2',
  '--rank',
  '4',
  '--learning-rate',
  '0.01',
]
/** Windows of a perplexity: [tokens, count]. */
export const [window, windows] = [64, 16]
export const continued = { prompt: 'once upon a', tokens: 24 }

async function lines(args: readonly string[]): Promise<unknown[]> {
  const ran = await secateur([...args, '--json'])
  const said = ran.stdout.trim().split('\n')
  // The last line is the error's own.
  if (ran.code !== 0) throw new Error(`secateur ${args.join(' ')} ended with ${ran.code}: ${said.at(-1)} ${ran.stderr}`)
  return said.map((line) => JSON.parse(line) as unknown)
}

async function result(args: readonly string[]): Promise<ResultEvent> {
  const last = eventSchema.parse((await lines(args)).at(-1))
  if (last.type !== 'result') throw new Error(`secateur ${args.join(' ')} gave no result`)
  return last
}

/** Trains an adapter on every linear layer, or on some; its PEFT folder. */
export async function finetune(model: string, text: string, out: string, modules: string[] = []): Promise<string> {
  const some = modules.length > 0 ? ['--target-modules', ...modules] : []
  await result(['finetune', model, '--data', text, '--out', out, '--steps', '4', ...training, ...some])
  return join(out, 'output')
}

/** Prunes every layer alike; the smaller checkpoint. */
export async function prune(
  model: string,
  text: string,
  out: string,
  dtype: string,
  steps = 6,
  flags: readonly string[] = [],
): Promise<string> {
  const schedule = ['--steps', `${steps}`, '--frequency', '1', '--ratio', '0.5', '--output-dtype', dtype]
  await result(['prune', model, '--data', text, '--out', out, ...schedule, ...training, ...flags])
  return join(out, 'output')
}

export async function merge(model: string, adapter: string, out: string): Promise<string> {
  await result(['merge', model, adapter, '--out', out])
  return out
}

export async function measurePerplexity(checkpoint: string, text: string) {
  const flags = [
    '--perplexity',
    `text=${text}`,
    '--window',
    `${window}`,
    '--max-windows',
    `${windows}`,
    '--threads',
    '2',
  ]
  const { perplexity } = await result(['eval', checkpoint, ...flags])
  return { text, window, windows, value: perplexity!['text']!.value }
}

/** Reads a GGUF file into a Hugging Face folder. */
export async function importGguf(file: string, out: string): Promise<string> {
  await result(['import', file, '--out', out])
  return out
}

/** Writes a checkpoint as GGUF; says why where it cannot be said in it. */
export async function exportGguf(
  checkpoint: string,
  file: string,
  type: GgufType,
  layout: string = 'auto',
): Promise<{ file: string } | { refused: string }> {
  const flags = ['--format', 'gguf', '--type', type, '--layout', layout, '--out', file, '--threads', '2', '--json']
  const ran = await secateur(['export', checkpoint, ...flags])
  if (ran.code === 0) return { file }
  return { refused: /^secateur: (.*)$/m.exec(ran.stderr)?.[1] ?? `it ended with ${ran.code}` }
}

const named = (flag: string, files: Record<TaskName, string>) =>
  Object.entries(files).flatMap(([task, file]) => [flag, `${task}=${file}`])

/** Scores task files; their accuracies, and a line for each row in the file of predictions. */
export async function scoreTasks(
  checkpoint: string,
  asked: {
    files: Record<TaskName, string>
    predictions: string
    fewShot: number
    train: Record<TaskName, string> | undefined
  },
): Promise<Record<TaskName, { acc: number; accNorm: number | null }>> {
  const examples = ['--few-shot', `${asked.fewShot}`, ...(asked.train ? named('--few-shot-from', asked.train) : [])]
  const flags = [...named('--task', asked.files), ...examples, '--predictions', asked.predictions, '--threads', '2']
  const { tasks } = await result(['eval', checkpoint, ...flags])
  const scores = Object.entries(tasks!).map(([task, { acc, accNorm = null }]) => [task, { acc, accNorm }])
  return Object.fromEntries(scores) as Record<TaskName, { acc: number; accNorm: number | null }>
}

const generated = z.object({ ids: z.array(z.int()) })

export async function continuation(checkpoint: string) {
  const flags = ['--prompt', continued.prompt, '--max-new-tokens', `${continued.tokens}`, '--greedy', '--threads', '2']
  const { ids } = generated.parse((await lines(['generate', checkpoint, ...flags])).at(-1))
  return { ...continued, ids }
}
