import { join } from 'node:path'
import { z } from 'zod'
import { eventSchema, type ResultEvent } from '../../engine/contract/index.ts'
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
  if (ran.code !== 0) throw new Error(`secateur ${args.join(' ')} ended with ${ran.code}: ${ran.stdout}${ran.stderr}`)
  return ran.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown)
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
export async function prune(model: string, text: string, out: string, dtype: string): Promise<string> {
  const schedule = ['--steps', '6', '--frequency', '1', '--ratio', '0.5', '--output-dtype', dtype]
  await result(['prune', model, '--data', text, '--out', out, ...schedule, ...training])
  return join(out, 'output')
}

export async function merge(model: string, adapter: string, out: string): Promise<string> {
  await result(['merge', model, adapter, '--out', out])
  return out
}

export async function perplexity(checkpoint: string, text: string) {
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
  const { perplexity: measured } = await result(['eval', checkpoint, ...flags])
  return { text, window, windows, value: measured!['text']!.value }
}

const generated = z.object({ ids: z.array(z.int()) })

export async function continuation(checkpoint: string) {
  const flags = ['--prompt', continued.prompt, '--max-new-tokens', `${continued.tokens}`, '--greedy', '--threads', '2']
  const { ids } = generated.parse((await lines(['generate', checkpoint, ...flags])).at(-1))
  return { ...continued, ids }
}
