// npm run bench: a training step, a forward pass and LoRAPrune's scoring beside PyTorch, turn by turn on the same threads,
// and peak memory against the number of layers.
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { pythonOfJudges } from './peers.ts'
import { median, ours, type Shape, takeTurns, theirs } from './workers.ts'

const { values } = parseArgs({
  options: {
    widths: { type: 'string', default: '288,768,2048' },
    layers: { type: 'string', default: '2,6,12,24' },
    repeats: { type: 'string', default: '5' },
    steps: { type: 'string', default: '12' },
    threads: { type: 'string', default: String(availableParallelism()) },
    /** One with torch; that of the judges unless given. */
    python: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const shapes: Record<string, Shape> = Object.fromEntries(
  [
    { width: 288, layers: 6, heads: 6, keyValueHeads: 6, channels: 768, rows: 4 },
    { width: 768, layers: 4, heads: 12, keyValueHeads: 12, channels: 2048, rows: 4 },
    { width: 2048, layers: 2, heads: 32, keyValueHeads: 8, channels: 5632, rows: 4 },
  ].map(({ rows, ...shape }) => [String(shape.width), { ...shape, vocabulary: 8192, rows, length: 256 }]),
)
const ourModes = ['step-keep', 'step-recompute', 'forward', 'score', 'linear-layers']
const theirModes = ['step', 'step-checkpointing', 'forward', 'score', 'linear-layers']

const list = (text: string) => text.split(',').filter((each) => each !== '')
const widths = list(values.widths)
const python = widths.length > 0 ? pythonOfJudges(values.python, 'PyTorch') : null
const speed = []
for (const width of widths) speed.push(...(await measureSpeed(width)))
const memory = []
for (const layers of list(values.layers)) memory.push(await measureMemory(Number(layers)))
if (values.json) console.log(JSON.stringify({ threads: values.threads, speed, memory }))

interface Measured {
  width: string
  name: string
  seconds: number
  tokensPerSecond: number
  peakBytes: number
}

async function measureSpeed(width: string): Promise<Measured[]> {
  const shape = shapes[width]
  if (!shape) throw new Error(`no shape of width ${width}; there are ${Object.keys(shapes).join(', ')}`)
  const workers = await Promise.all([
    ...ourModes.map((mode) => ours(shape, mode, values.threads)),
    ...(python ? theirModes.map((mode) => theirs(shape, mode, values.threads, python)) : []),
  ])
  const turns = await takeTurns(workers, Number(values.repeats))
  const results = workers.map(({ name }): Measured => {
    const answers = turns.get(name)!
    const seconds = median(answers.map((answer) => answer.seconds))
    const { tokens, peakBytes } = answers.at(-1)!
    return { width, name, seconds, tokensPerSecond: tokens / seconds, peakBytes }
  })
  report(width, results)
  return results
}

function report(width: string, results: readonly Measured[]): void {
  if (values.json) return
  console.log(`\nwidth ${width}, ${values.threads} threads, median of ${values.repeats}\n`)
  console.log('| work | ms | tokens/s | peak memory, MB |\n| --- | --- | --- | --- |')
  for (const { name, seconds, tokensPerSecond, peakBytes } of results)
    console.log(
      `| ${name} | ${(1000 * seconds).toFixed(1)} | ${Math.round(tokensPerSecond)} | ${megabytes(peakBytes)} |`,
    )
  const secondsOf = (...names: string[]) =>
    results.reduce((least, { name, seconds }) => (names.includes(name) ? Math.min(least, seconds) : least), Infinity)
  const step = secondsOf('Secateur step-keep', 'Secateur step-recompute')
  console.log(`\nscoring every group: ${((100 * secondsOf('Secateur score')) / step).toFixed(1)} % of a step`)
  if (!python) return
  const bound = ratio(secondsOf('PyTorch step'), secondsOf('Secateur linear-layers', 'PyTorch linear-layers'))
  console.log(`a step of nothing but its linear layers would be ${bound} times as fast as PyTorch's whole step`)
  console.log(`step: ${ratio(secondsOf('PyTorch step', 'PyTorch step-checkpointing'), step)} times PyTorch's speed`)
  console.log(
    `step, both computing again: ${ratio(secondsOf('PyTorch step-checkpointing'), secondsOf('Secateur step-recompute'))} times`,
  )
  console.log(`forward pass: ${ratio(secondsOf('PyTorch forward'), secondsOf('Secateur forward'))} times`)
}

function ratio(theirSeconds: number, ourSeconds: number): string {
  return (theirSeconds / ourSeconds).toFixed(2)
}

/** Peak memory of a training step with that many layers, after few steps and after many: it must not go on growing. */
async function measureMemory(layers: number): Promise<object> {
  const shape = { ...shapes['288']!, layers }
  const row: Record<string, number> = { layers }
  for (const mode of ['step-recompute', 'step-keep']) {
    const worker = await ours(shape, mode, values.threads)
    for (let step = 1; step <= Number(values.steps); step++) {
      const { peakBytes } = await worker.run()
      if (step === 3) row[`${mode} after 3`] = peakBytes
      row[mode] = peakBytes
    }
    worker.stop()
  }
  if (!values.json) {
    if (memory.length === 0)
      console.log(
        `\nPeak memory in MB of training steps at width 288, after 3 and after ${values.steps} steps\n\n| layers | computed again, 3 | ${values.steps} | kept, 3 | ${values.steps} |\n| --- | --- | --- | --- | --- |`,
      )
    const cells = ['step-recompute after 3', 'step-recompute', 'step-keep after 3', 'step-keep']
    console.log(`| ${[layers, ...cells.map((cell) => megabytes(row[cell]!))].join(' | ')} |`)
  }
  return row
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0)
}
