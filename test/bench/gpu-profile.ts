// npm run profile:gpu: what the graphics card does in a training step, or for a generated token (--token), kernel by kernel, by
// its own clock.
import { parseArgs } from 'node:util'
import { median } from 'simple-statistics'
import { chooseBackend } from '../../engine/backends/choose.ts'
import { type CardBackend, readBuffer } from '../../engine/backends/webgpu/backend.ts'
import { currentCard } from '../../engine/backends/webgpu/measure.ts'
import { randomModel } from '../../engine/bench/random-model.ts'
import { configOf, shapeNamed } from '../../engine/bench/shapes.ts'
import { subjectOf } from '../../engine/bench/subject.ts'
import { KeyValueCache } from '../../engine/evaluation/key-value-cache.ts'

const { values } = parseArgs({
  options: {
    shape: { type: 'string', default: '7B' },
    scale: { type: 'string', default: '1' },
    layers: { type: 'string', default: '4' },
    rows: { type: 'string', default: '4' },
    length: { type: 'string', default: '512' },
    int8: { type: 'boolean', default: false },
    all: { type: 'boolean', default: false },
    token: { type: 'boolean', default: false },
  },
})
const shape = shapeNamed(values.shape)
const { device: name } = await chooseBackend({ device: 'webgpu' })
const card = currentCard()!
if (!card.device.features.has('timestamp-query')) throw new Error(`${name} tells no times`)

const whole = configOf(shape, Number(values.scale))
const model = randomModel({ ...whole, layers: whole.layers.slice(0, Number(values.layers)) }, values.int8)
const [rows, length] = [Number(values.rows), Number(values.length)]
const profile = values.token ? token() : step()
const total = profile.kernels.reduce((sum, { milliseconds }) => sum + milliseconds, 0)
console.log(`${name}, ${values.shape}, ${values.layers} layers`)
console.log(`${profile.what} ${(1000 * profile.seconds).toFixed(2)} ms; kernels alone ${total.toFixed(2)} ms\n`)
for (const { label, count, milliseconds } of profile.kernels.slice(0, values.all ? undefined : 30))
  console.log(
    `${milliseconds.toFixed(2).padStart(9)} ms ${((100 * milliseconds) / total).toFixed(1).padStart(5)} % ${String(count).padStart(5)} x  ${label}`,
  )
process.exit(0)

/** A training step with the scores of all groups. */
function step() {
  const { trainer, ids, score } = subjectOf(model, { rows, length, gradientCheckpointing: 'on' })
  let steps = 0
  const train = () => void trainer.step(++steps)
  const trainAndScore = () => void trainer.step(++steps, ({ gradients }) => score(gradients))
  trainAndScore()
  const seconds = median([0, 1, 2].map(() => timed(train)))
  return { seconds, kernels: profiled(card, trainAndScore), what: `${ids.length} tokens: a training step` }
}

/** A token that is generated after so many; the card does the same for one that is sent again as for one that is recorded. */
function token() {
  const next = generating()
  for (let i = 0; i < 4; i++) next()
  const seconds = median(Array.from({ length: 25 }, () => timed(next)))
  return { seconds, kernels: profiled(card, generating()), what: `after ${length} tokens: one more` }
}

/** Generates a token after `length` others at every call. */
function generating(): () => void {
  const cache = new KeyValueCache(model, length + 32, {})
  cache.prompt([Array.from({ length }, (_, id) => id % model.config.vocabularySize)], length)
  return () => void cache.nextToPick([0], 0)
}

function timed(work: () => void): number {
  const started = performance.now()
  work()
  return (performance.now() - started) / 1000
}

/** Times on the card of everything that `work` dispatches, each dispatch in a pass of its own. */
function profiled({ device }: CardBackend, work: () => void) {
  const labels: string[] = []
  // Of each dispatch two times; a set holds 4096.
  const querySets: GPUQuerySet[] = []
  const inSet = 2048
  const timesOf = (querySet: GPUQuerySet) => {
    const size = 16 * inSet
    const buffer = device.createBuffer({ size, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC })
    const encoder = create()
    encoder.resolveQuerySet(querySet, 0, 2 * inSet, buffer, 0)
    device.queue.submit([encoder.finish()])
    const times = new BigUint64Array(readBuffer(card, buffer))
    buffer.destroy()
    querySet.destroy()
    return times
  }
  const create = device.createCommandEncoder.bind(device)
  device.createCommandEncoder = (description) => {
    const encoder = create(description)
    const begin = encoder.beginComputePass.bind(encoder)
    encoder.beginComputePass = () => {
      let pipeline: GPUComputePipeline
      let bindGroup: GPUBindGroup | null
      return {
        setPipeline: (next: GPUComputePipeline) => void (pipeline = next),
        setBindGroup: (_: number, next: GPUBindGroup | null) => void (bindGroup = next),
        dispatchWorkgroups: (...groups: Parameters<GPUComputePassEncoder['dispatchWorkgroups']>) => {
          const at = labels.push(pipeline.label) - 1
          if (at % inSet === 0) querySets.push(device.createQuerySet({ type: 'timestamp', count: 2 * inSet }))
          const first = 2 * (at % inSet)
          const pass = begin({
            timestampWrites: {
              querySet: querySets.at(-1)!,
              beginningOfPassWriteIndex: first,
              endOfPassWriteIndex: first + 1,
            },
          })
          pass.setPipeline(pipeline)
          pass.setBindGroup(0, bindGroup)
          pass.dispatchWorkgroups(...groups)
          pass.end()
        },
        end: () => {},
      } as unknown as GPUComputePassEncoder
    }
    return encoder
  }
  work()
  readBuffer(card, device.createBuffer({ size: 16, usage: GPUBufferUsage.COPY_SRC }))
  device.createCommandEncoder = create
  const times = querySets.flatMap((querySet) => [...timesOf(querySet)])
  const found = new Map<string, { label: string; count: number; milliseconds: number }>()
  for (const [i, label] of labels.entries()) {
    const entry = found.get(label) ?? { label, count: 0, milliseconds: 0 }
    entry.count++
    entry.milliseconds += Number(times[2 * i + 1]! - times[2 * i]!) / 1e6
    found.set(label, entry)
  }
  return [...found.values()].toSorted((one, other) => other.milliseconds - one.milliseconds)
}
