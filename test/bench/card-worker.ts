// One model of random weights on the graphics card, in a process of its own, so that the memory is its own: what users wait for,
// and a training step with the dense model as teacher. Prints one line of JSON. Run by gpu.ts.
import { parseArgs } from 'node:util'
import { median } from 'simple-statistics'
import { chooseBackend } from '../../engine/backends/choose.ts'
import { cardBytes, currentCard } from '../../engine/backends/webgpu/measure.ts'
import { measureModel } from '../../engine/bench/model-work.ts'
import { randomModel } from '../../engine/bench/random-model.ts'
import { configOf, shapeNamed } from '../../engine/bench/shapes.ts'
import { subjectOf } from '../../engine/bench/subject.ts'

const { values } = parseArgs({
  options: {
    shape: { type: 'string', default: '1B' },
    scale: { type: 'string', default: '1' },
    rows: { type: 'string', default: '4' },
    length: { type: 'string', default: '512' },
    repeats: { type: 'string', default: '3' },
    int8: { type: 'boolean', default: false },
    taught: { type: 'boolean', default: false },
  },
})
const shape = shapeNamed(values.shape)
const [scale, rows, length, repeats] = [values.scale, values.rows, values.length, values.repeats].map(Number) as [
  number,
  number,
  number,
  number,
]
const { device } = await chooseBackend({ device: 'webgpu' })
const card = currentCard()!
const answer = values.taught
  ? taughtStep()
  : await measureModel(shape, { scale, rows, length, repeats, int8: values.int8, signal: new AbortController().signal })
console.log(JSON.stringify({ device, ...answer }))
process.exit(0)

/** A training step that learns from the dense model alone. */
function taughtStep() {
  const model = randomModel(configOf(shape, scale), values.int8)
  const teacher = { model, isDense: true, share: 1, temperature: 1, hidden: 0 }
  const { trainer, ids } = subjectOf(model, { rows, length, gradientCheckpointing: 'on', teacher })
  let deviceBytes = 0
  const seconds: number[] = []
  for (let step = 1; step <= repeats + 1; step++) {
    const started = performance.now()
    trainer.step(step)
    seconds.push((performance.now() - started) / 1000)
    deviceBytes = Math.max(deviceBytes, cardBytes(card))
  }
  return { trainingTokensPerSecond: ids.length / median(seconds.slice(1)), deviceBytes }
}
