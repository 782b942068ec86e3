import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import environment from '../../resources/engine-environment.json' with { type: 'json' }

/** A Llama with random weights, and the batch that a step takes. */
export interface Shape {
  width: number
  layers: number
  heads: number
  keyValueHeads: number
  channels: number
  vocabulary: number
  rows: number
  length: number
}

const answerSchema = z.object({
  seconds: z.number(),
  /** Of the processors, whatever else they did meanwhile; ours alone tell it. */
  cpuSeconds: z.number().optional(),
  tokens: z.number(),
  /** Where a prompt was read before what is timed. */
  promptSeconds: z.number().optional(),
  peakBytes: z.number(),
})
export type Answer = z.infer<typeof answerSchema>

/** A process that does one piece of work whenever it is asked to. */
export interface Worker {
  name: string
  run(): Promise<Answer>
  stop(): void
}

/** Our worker; it is started as the `secateur` command starts the engine. */
export const ours = (shape: Shape, mode: string, threads: string): Promise<Worker> =>
  start(
    `Secateur ${mode}`,
    process.execPath,
    [
      join(import.meta.dirname, 'worker.ts'),
      '--shape',
      Object.values(shape).join(','),
      '--mode',
      mode,
      '--threads',
      threads,
    ],
    environment,
  )

/** PyTorch's worker. */
export function theirs(shape: Shape, mode: string, threads: string, python: string): Promise<Worker> {
  const { keyValueHeads, vocabulary, ...rest } = shape
  const flags = { ...rest, 'kv-heads': keyValueHeads, vocab: vocabulary, mode, threads }
  const args = flagsOf(flags)
  // Waiting threads of one worker must not take the cores of the one whose turn it is.
  return start(`PyTorch ${mode}`, python, [join(import.meta.dirname, 'torch_step.py'), ...args], {
    OMP_WAIT_POLICY: 'passive',
  })
}

/** The words of a command line that give a worker its settings. */
export const flagsOf = (settings: Readonly<Record<string, string | number>>): string[] =>
  Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])

/** @throws Error with what the process printed where it does not start or ends before its work is done. */
export async function start(
  name: string,
  command: string,
  args: string[],
  env: Record<string, string>,
): Promise<Worker> {
  const child = spawn(command, args, { env: { ...process.env, ...env } })
  let printed = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (printed = (printed + text).slice(-4096)))
  const ended = new Promise<string>((resolve) => {
    child.on('error', ({ message }) => resolve(message))
    child.on('close', (code, signal) => resolve(`${signal ?? `code ${code}`}\n${printed}`))
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<unknown> => {
    const { value, done } = await lines.next()
    if (done) throw new Error(`the worker "${name}" ended: ${await ended}`)
    return JSON.parse(value)
  }
  await next()
  return {
    name,
    run: async () => {
      child.stdin.write('run\n')
      return answerSchema.parse(await next())
    },
    stop: () => child.kill(),
  }
}

/** Every worker's answers by its name, turn by turn, and stops them; the first turn compiles and warms up. */
export async function takeTurns(workers: readonly Worker[], repeats: number): Promise<Map<string, Answer[]>> {
  const answers = new Map<string, Answer[]>(workers.map(({ name }) => [name, []]))
  for (const worker of workers) await worker.run()
  for (let turn = 0; turn < repeats; turn++)
    for (const worker of workers) answers.get(worker.name)!.push(await worker.run())
  for (const worker of workers) worker.stop()
  return answers
}

export const median = (numbers: readonly number[]): number =>
  numbers.toSorted((one, other) => one - other)[Math.floor(numbers.length / 2)]!
