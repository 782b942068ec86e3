// npm run bench -- distillation: what the dense model costs as the teacher. A training step without it, with it, and with
// what is kept of it, turn by turn on the same threads, and the peak memory of each. Times are those of the processor, so that
// other programs change little; more than one thread would count their waiting for each other.
import { parseArgs } from 'node:util'
import { median, ours, type Shape } from './workers.ts'

const { values } = parseArgs({
  options: {
    shapes: { type: 'string', default: 'sample,SmolLM2-135M' },
    repeats: { type: 'string', default: '5' },
    threads: { type: 'string', default: '1' },
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
console.log('| model, activations | teacher | step, ms | more time | peak, MB | more, MB |')
console.log('| --- | --- | --- | --- | --- | --- |')
for (const name of values.shapes.split(','))
  for (const mode of ['step-recompute', 'step-keep']) await compare(name, mode)

async function compare(name: string, mode: string): Promise<void> {
  const shape = shapes[name]
  if (!shape) throw new Error(`no shape ${name}; there are ${Object.keys(shapes).join(', ')}`)
  const teachers = ['', '-taught', '-kept-teacher']
  const workers = await Promise.all(teachers.map((teacher) => ours(shape, mode + teacher, values.threads)))
  const seconds: number[][] = workers.map(() => [])
  const peaks: number[] = []
  for (let turn = 0; turn <= Number(values.repeats); turn++)
    for (const [index, worker] of workers.entries()) {
      const answer = await worker.run()
      // The first turn compiles.
      if (turn > 0) seconds[index]!.push(answer.cpuSeconds!)
      peaks[index] = answer.peakBytes
    }
  for (const worker of workers) worker.stop()
  const steps = seconds.map(median)
  for (const [index, teacher] of ['none', 'passes', 'its 64 likeliest tokens are kept'].entries()) {
    const cells = [
      `${name}, ${mode === 'step-keep' ? 'kept' : 'computed again'}`,
      teacher,
      (1000 * steps[index]!).toFixed(0),
      `${(100 * (steps[index]! / steps[0]! - 1)).toFixed(0)} %`,
      megabytes(peaks[index]!),
      megabytes(peaks[index]! - peaks[0]!),
    ]
    console.log(`| ${cells.join(' | ')} |`)
  }
}
