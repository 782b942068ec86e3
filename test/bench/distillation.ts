// node test/bench/distillation.ts: what the dense model costs as the teacher. A training step with and without it, turn by
// turn on the same threads, and the peak memory of each beside one array of [tokens, hidden size].
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { median, ours, type Shape } from './workers.ts'

const { values } = parseArgs({
  options: {
    shapes: { type: 'string', default: 'sample,SmolLM2-135M' },
    repeats: { type: 'string', default: '5' },
    threads: { type: 'string', default: String(availableParallelism()) },
  },
})
const shapes: Record<string, Shape> = {
  sample: {
    width: 160,
    layers: 6,
    heads: 8,
    keyValueHeads: 4,
    channels: 448,
    vocabulary: 2048,
    rows: 8,
    length: 128,
  },
  'SmolLM2-135M': {
    width: 576,
    layers: 30,
    heads: 9,
    keyValueHeads: 3,
    channels: 1536,
    vocabulary: 49152,
    rows: 2,
    length: 256,
  },
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1)

console.log(`${values.threads} threads, medians of ${values.repeats}\n`)
console.log('| model, activations | step, ms | taught, ms | more time | peak, MB | taught, MB | more, MB | array, MB |')
console.log('| --- | --- | --- | --- | --- | --- | --- | --- |')
for (const name of values.shapes.split(','))
  for (const mode of ['step-recompute', 'step-keep']) await compare(name, mode)

async function compare(name: string, mode: string): Promise<void> {
  const shape = shapes[name]
  if (!shape) throw new Error(`no shape ${name}; there are ${Object.keys(shapes).join(', ')}`)
  const workers = await Promise.all([mode, `${mode}-taught`].map((each) => ours(shape, each, values.threads)))
  const seconds: number[][] = workers.map(() => [])
  const peaks: number[] = []
  for (let turn = 0; turn <= Number(values.repeats); turn++)
    for (const [index, worker] of workers.entries()) {
      const answer = await worker.run()
      // The first turn compiles.
      if (turn > 0) seconds[index]!.push(answer.seconds)
      peaks[index] = answer.peakBytes
    }
  for (const worker of workers) worker.stop()
  const [plain, taught] = seconds.map(median) as [number, number]
  const cells = [
    `${name}, ${mode === 'step-keep' ? 'kept' : 'computed again'}`,
    (1000 * plain).toFixed(0),
    (1000 * taught).toFixed(0),
    `${(100 * (taught / plain - 1)).toFixed(0)} %`,
    megabytes(peaks[0]!),
    megabytes(peaks[1]!),
    megabytes(peaks[1]! - peaks[0]!),
    megabytes(4 * shape.rows * shape.length * shape.width),
  ]
  console.log(`| ${cells.join(' | ')} |`)
}
