// npm run profile:gpu: what the graphics card does in a training step, kernel by kernel, by its own clock.
import { parseArgs } from 'node:util'
import { chooseBackend } from '../../engine/backends/choose.ts'
import { type CardBackend, readBuffer } from '../../engine/backends/webgpu/backend.ts'
import { currentCard } from '../../engine/backends/webgpu/measure.ts'
import { randomModel } from '../../engine/bench/random-model.ts'
import { configOf, type ShapeName, shapeNames } from '../../engine/bench/shapes.ts'
import { subjectOf } from '../../engine/bench/subject.ts'
import { tf } from '../../engine/tensor/tf.ts'

const { values } = parseArgs({
  options: {
    shape: { type: 'string', default: '7B' },
    scale: { type: 'string', default: '1' },
    layers: { type: 'string', default: '4' },
    rows: { type: 'string', default: '4' },
    length: { type: 'string', default: '512' },
    int8: { type: 'boolean', default: false },
    all: { type: 'boolean', default: false },
  },
})
if (!shapeNames.includes(values.shape as ShapeName)) throw new Error(`--shape is one of ${shapeNames.join(', ')}`)
const { device: name } = await chooseBackend({ device: 'webgpu' })
const card = currentCard()!
if (!card.device.features.has('timestamp-query')) throw new Error(`${name} tells no times`)

const whole = configOf(values.shape as ShapeName, Number(values.scale))
const model = randomModel({ ...whole, layers: whole.layers.slice(0, Number(values.layers)) }, values.int8)
const [rows, length] = [Number(values.rows), Number(values.length)]
const { trainer, ids, score } = subjectOf(model, { rows, length, gradientCheckpointing: 'on' })

let step = 0
const train = () => void trainer.step(++step)
const trainAndScore = () => void trainer.step(++step, ({ gradients }) => score(gradients))
trainAndScore()
const seconds = [0, 1, 2].map(() => timed(train)).sort((one, other) => one - other)[1]!
const kernels = profiled(card, trainAndScore)
const total = kernels.reduce((sum, { milliseconds }) => sum + milliseconds, 0)
console.log(`${name}, ${values.shape}, ${values.layers} layers, ${ids.length} tokens`)
console.log(`a training step ${(1000 * seconds).toFixed(1)} ms; with scores, kernels alone ${total.toFixed(1)} ms\n`)
for (const { label, count, milliseconds } of kernels.slice(0, values.all ? undefined : 30))
  console.log(
    `${milliseconds.toFixed(2).padStart(9)} ms ${((100 * milliseconds) / total).toFixed(1).padStart(5)} % ${String(count).padStart(5)} x  ${label}`,
  )
process.exit(0)

function timed(work: () => void): number {
  const started = performance.now()
  work()
  return (performance.now() - started) / 1000
}

/** Times on the card of everything that `work` dispatches, each dispatch in a pass of its own. */
function profiled({ device }: CardBackend, work: () => void) {
  const most = 4096
  const labels: string[] = []
  const times: bigint[] = []
  let querySet = device.createQuerySet({ type: 'timestamp', count: most })
  let used = 0
  const collect = () => {
    if (used === 0) return
    const buffer = device.createBuffer({
      size: 8 * used,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    })
    const encoder = create()
    encoder.resolveQuerySet(querySet, 0, used, buffer, 0)
    device.queue.submit([encoder.finish()])
    times.push(...new BigUint64Array(readBuffer(card, buffer)))
    buffer.destroy()
    querySet.destroy()
    querySet = device.createQuerySet({ type: 'timestamp', count: most })
    used = 0
  }
  const create = device.createCommandEncoder.bind(device)
  const batch = tf.env().getNumber('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE')
  tf.env().set('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE', 1)
  device.createCommandEncoder = (description) => {
    if (used + 2 > most) collect()
    const encoder = create(description)
    const begin = encoder.beginComputePass.bind(encoder)
    encoder.beginComputePass = () => {
      const pass = begin({
        timestampWrites: { querySet, beginningOfPassWriteIndex: used, endOfPassWriteIndex: used + 1 },
      })
      used += 2
      const set = pass.setPipeline.bind(pass)
      const place = labels.push('nothing') - 1
      pass.setPipeline = (chosen) => {
        labels[place] = chosen.label
        set(chosen)
      }
      return pass
    }
    return encoder
  }
  work()
  readBuffer(card, device.createBuffer({ size: 16, usage: GPUBufferUsage.COPY_SRC }))
  collect()
  device.createCommandEncoder = create
  tf.env().set('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE', batch)
  const found = new Map<string, { label: string; count: number; milliseconds: number }>()
  for (const [i, label] of labels.entries()) {
    const entry = found.get(label) ?? { label, count: 0, milliseconds: 0 }
    entry.count++
    entry.milliseconds += Number(times[2 * i + 1]! - times[2 * i]!) / 1e6
    found.set(label, entry)
  }
  return [...found.values()].toSorted((one, other) => other.milliseconds - one.milliseconds)
}
