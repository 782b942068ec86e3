// npm run bench: a training step, a forward pass and LoRAPrune's scoring beside PyTorch, turn by turn on the same threads.
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import environment from '../../resources/engine-environment.json' with { type: 'json' }

const { values } = parseArgs({
  options: {
    widths: { type: 'string', default: '288,768,2048' },
    repeats: { type: 'string', default: '5' },
    threads: { type: 'string', default: String(availableParallelism()) },
    python: { type: 'string', default: '/usr/bin/python3' },
    json: { type: 'boolean', default: false },
  },
})
/** width, layers, heads, key/value heads, channels, vocabulary, rows, length */
const shapes: Record<string, number[]> = {
  288: [288, 6, 6, 6, 768, 8192, 4, 256],
  768: [768, 4, 12, 12, 2048, 8192, 4, 256],
  2048: [2048, 2, 32, 8, 5632, 8192, 2, 256],
}
const answer = z.object({ seconds: z.number(), tokens: z.number(), peakBytes: z.number() })
interface Worker {
  name: string
  run(): Promise<z.infer<typeof answer>>
  stop(): void
}
const ours = (shape: number[], mode: string) =>
  start(
    `Secateur ${mode}`,
    process.execPath,
    [join(import.meta.dirname, 'worker.ts'), '--shape', shape.join(','), '--mode', mode],
    environment,
  )
const theirs = ([width, layers, heads, keyValueHeads, channels, vocabulary, rows, length]: number[], mode: string) => {
  const flags = { width, layers, heads, 'kv-heads': keyValueHeads, channels, vocab: vocabulary, rows, length, mode }
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)])
  // Waiting threads of one worker must not take the cores of the one whose turn it is.
  return start(`PyTorch ${mode}`, values.python, [join(import.meta.dirname, 'torch_step.py'), ...args], {
    OMP_WAIT_POLICY: 'passive',
  })
}

async function start(
  name: string,
  command: string,
  args: string[],
  env: Record<string, string>,
): Promise<Worker | null> {
  const child = spawn(command, [...args, '--threads', values.threads], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { ...process.env, ...env },
  })
  child.on('error', () => {})
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  if ((await lines.next()).done) return null
  return {
    name,
    run: async () => {
      child.stdin.write('run\n')
      const { value } = await lines.next()
      return answer.parse(JSON.parse(String(value)))
    },
    stop: () => child.kill(),
  }
}

const median = (numbers: number[]) => numbers.toSorted((one, other) => one - other)[Math.floor(numbers.length / 2)]!

const results: object[] = []
for (const width of values.widths.split(',')) {
  const shape = shapes[width]
  if (!shape) throw new Error(`no shape of width ${width}; there are ${Object.keys(shapes).join(', ')}`)
  const found = await Promise.all([
    ...['step', 'step-recompute', 'forward', 'score'].map((mode) => ours(shape, mode)),
    ...['step', 'step-checkpointing', 'forward', 'score'].map((mode) => theirs(shape, mode)),
  ])
  const workers = found.filter((worker) => worker !== null)
  const measured = new Map<string, { seconds: number[]; tokens: number; peakBytes: number }>()
  for (let turn = 0; turn <= Number(values.repeats); turn++) {
    for (const worker of workers) {
      const { seconds, tokens, peakBytes } = await worker.run()
      const earlier = measured.get(worker.name)?.seconds ?? []
      // The first turn compiles and warms up.
      measured.set(worker.name, { seconds: turn === 0 ? [] : [...earlier, seconds], tokens, peakBytes })
    }
  }
  for (const worker of workers) worker.stop()
  report(width, measured)
}
if (values.json) console.log(JSON.stringify(results))

function report(width: string, measured: Map<string, { seconds: number[]; tokens: number; peakBytes: number }>): void {
  const line = (text: string) => void (values.json || console.log(text))
  const secondsOf = (name: string) => median(measured.get(name)?.seconds ?? [Number.NaN])
  line(`\nwidth ${width}, ${values.threads} threads, median of ${values.repeats}`)
  for (const [name, { tokens, peakBytes }] of measured) {
    const seconds = secondsOf(name)
    results.push({ width, name, seconds, tokensPerSecond: tokens / seconds, peakBytes })
    line(
      `${name.padEnd(28)}${(1000 * seconds).toFixed(1).padStart(10)} ms${Math.round(tokens / seconds)
        .toString()
        .padStart(9)} tokens/s${(peakBytes / 1e6).toFixed(0).padStart(7)} MB`,
    )
  }
  const step = secondsOf('Secateur step')
  line(`scoring every group: ${((100 * secondsOf('Secateur score')) / step).toFixed(1)} % of a step`)
  const best = Math.min(secondsOf('PyTorch step'), secondsOf('PyTorch step-checkpointing'))
  if (Number.isNaN(best)) line(`PyTorch was not found at ${values.python}: no ratios`)
  else {
    line(`step: ${(best / step).toFixed(2)} times the speed of PyTorch's better mode`)
    line(`forward: ${(secondsOf('PyTorch forward') / secondsOf('Secateur forward')).toFixed(2)} times`)
  }
}
