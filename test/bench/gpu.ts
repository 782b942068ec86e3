// npm run bench:gpu: what users wait for on the graphics card, and the same work in PyTorch where that finds a CUDA card. Every
// row is printed as soon as it is measured. With --products, `secateur bench` on single products and copies comes after it.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { runner } from '../gpu/run-on-card.ts'

const { values } = parseArgs({
  options: {
    shapes: { type: 'string', default: '7B,1B' },
    scale: { type: 'string', default: '1' },
    rows: { type: 'string', default: '4' },
    length: { type: 'string', default: '512' },
    repeats: { type: 'string', default: '3' },
    modes: { type: 'string', default: 'eager' },
    python: { type: 'string', default: 'python3' },
    products: { type: 'boolean', default: false },
  },
})
const root = join(import.meta.dirname, '../..')
/** Node, on the driver to be measured where it is not the system's own: see docs/graphics-cards.md. */
const [engine = process.execPath, ...engineArgs] = [...runner, process.execPath]
const sizes = (['scale', 'rows', 'length', 'repeats'] as const).flatMap((name) => [`--${name}`, values[name]])
const shapes = values.shapes.split(',')

const theirs = z.object({
  shape: z.string(),
  compiled: z.boolean(),
  trainingTokensPerSecond: z.number(),
  scoringSeconds: z.number(),
  promptTokensPerSecond: z.number(),
  deviceBytes: z.number().nullable(),
})
const torchAnswer = z.object({ torch: z.string(), device: z.string(), models: z.array(theirs) })
const ours = theirs
  .omit({ shape: true, compiled: true })
  .extend({ device: z.string(), pruningTokensPerSecond: z.number(), generatedTokensPerSecond: z.number() })
const taught = ours.pick({ device: true, trainingTokensPerSecond: true, deviceBytes: true })

/** The last line that a command prints, or null where it ends badly. */
function lastLine(command: string, args: string[]): string | null {
  const { status, stdout } = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return status === 0 ? stdout.trim().split('\n').at(-1)! : null
}

/** @throws Error where the worker ended badly; it said why */
function worker(shape: string, flags: string[]): unknown {
  const line = lastLine(engine, [
    ...engineArgs,
    join(root, 'test/bench/card-worker.ts'),
    '--shape',
    shape,
    ...sizes,
    ...flags,
  ])
  if (line === null) throw new Error(`${shape}: the card was not measured`)
  return JSON.parse(line)
}

const gigabytes = (bytes: number | null) => (bytes === null ? '' : `${(bytes / 1e9).toFixed(1)} GB`)
const whole = (value: number) => Math.round(value).toLocaleString('en')
const row = (cells: string[]) => console.log(`| ${cells.join(' | ')} |`)

row(['model', 'training, tokens/s', 'pruning', 'scoring', 'prompts', 'generation', 'memory of the card'])
row(Array<string>(7).fill('---'))
const measured = new Map<string, z.infer<typeof ours>>()
for (const shape of shapes)
  for (const flags of [[], ['--int8']]) {
    const found = ours.parse(worker(shape, flags))
    if (flags.length === 0) measured.set(shape, found)
    row([
      [shape, ...flags].join(' '),
      whole(found.trainingTokensPerSecond),
      whole(found.pruningTokensPerSecond),
      `${(1000 * found.scoringSeconds).toFixed(0)} ms`,
      whole(found.promptTokensPerSecond),
      found.generatedTokensPerSecond.toFixed(1),
      gigabytes(found.deviceBytes),
    ])
  }
for (const shape of shapes) {
  const { trainingTokensPerSecond, deviceBytes } = taught.parse(worker(shape, ['--taught']))
  row([`${shape}, dense teacher`, whole(trainingTokensPerSecond), '', '', '', '', gigabytes(deviceBytes)])
}
const torchLine = lastLine(values.python, [
  join(root, 'test/bench/torch_cuda.py'),
  '--shapes',
  values.shapes,
  '--modes',
  values.modes,
  ...sizes,
])
const torch = torchLine === null ? null : torchAnswer.parse(JSON.parse(torchLine))
const ratios: string[] = []
for (const { shape, compiled, ...other } of torch?.models ?? []) {
  const name = `PyTorch ${torch!.torch}${compiled ? ' compiled' : ''}`
  row([
    `${shape}, ${name}`,
    whole(other.trainingTokensPerSecond),
    '',
    `${(1000 * other.scoringSeconds).toFixed(0)} ms`,
    whole(other.promptTokensPerSecond),
    '',
    gigabytes(other.deviceBytes),
  ])
  const own = measured.get(shape)!
  ratios.push(
    `${shape} against ${name}: training ${(own.trainingTokensPerSecond / other.trainingTokensPerSecond).toFixed(2)}, scoring ${(other.scoringSeconds / own.scoringSeconds).toFixed(2)}, prompts ${(own.promptTokensPerSecond / other.promptTokensPerSecond).toFixed(2)} times the speed`,
  )
}
console.log(`\non ${[...measured.values()][0]!.device}, ${values.rows} rows of ${values.length} tokens`)
for (const line of ratios) console.log(line)
if (!torch) console.log(`PyTorch with CUDA was not found at ${values.python}: no ratios`)
if (values.products) {
  const args = [join(root, 'engine/entries/main.ts'), 'bench', '--device', 'webgpu', '--shapes', shapes[0]!, ...sizes]
  process.exitCode = spawnSync(engine, [...engineArgs, ...args], { cwd: root, stdio: 'inherit' }).status ?? 1
}
