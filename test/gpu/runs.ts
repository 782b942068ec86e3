// Whole runs on a graphics card. Run by test/gpu/swiftshader.test.ts and `npm run test:gpu`.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { chooseBackend } from '../../engine/backends/choose.ts'
import { registerFrozenComposites } from '../../engine/backends/frozen-composite.ts'
import type { CardBackend } from '../../engine/backends/webgpu/backend.ts'
import { stopWebGpu } from '../../engine/backends/webgpu/index.ts'
import { cardMemory } from '../../engine/backends/webgpu/memory.ts'
import { setWeightStore, weightBudget, weightsOf, WeightStore } from '../../engine/backends/webgpu/weights.ts'
import { readAll } from '../../engine/lora/merge.ts'
import { openCheckpoint } from '../../engine/models/checkpoint.ts'
import { writeCheckpoint } from '../../engine/models/write-checkpoint.ts'
import { type EngineEvent, type Estimate, type PruneJob, jobSchema } from '../../engine/contract/index.ts'
import type { BackendName } from '../../engine/shared/backend-names.ts'
import { SecateurError } from '../../engine/shared/errors.ts'
import { runJob } from '../../engine/jobs/index.ts'
import { RunFolder } from '../../engine/runs/run-folder.ts'
import { tf } from '../../engine/tensor/tf.ts'
import { registerRoundedProducts } from '../rounded-products.ts'
import { testsHalfPrecision } from '../tested-backend.ts'
import { data, needsData } from '../unit/evaluation/shared.ts'

/** Whether the tests may take minutes, as on a card of its own. */
const isLong = Boolean(process.env['SECATEUR_GPU_LONG'])
/** Of the five blocks of stories260K. Where a processor plays the card, every block takes half a second a step. */
const blocks = isLong || testsHalfPrecision ? 5 : 2

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'secateur-card-'))
  if (!needsData.skip) await writeModel(join(folder, 'model'))
})
after(() => rm(folder, { recursive: true }))

/** Writes the first blocks of stories260K. */
async function writeModel(path: string): Promise<void> {
  using stories = openCheckpoint(data('stories260K'))
  const config = { ...stories.config, layers: stories.config.layers.slice(0, blocks) }
  const tensors = readAll(config, (name) => stories.read(name))
  await writeCheckpoint(path, { config, dtype: 'float32', tensors, tokenizerFrom: data('stories260K') })
}

const jobFor = (name: string, device: BackendName) =>
  jobSchema.parse({
    kind: 'prune',
    checkpoint: join(folder, 'model'),
    out: join(folder, name),
    data: [data('text/c4_demo.jsonl')],
    maxDocuments: 20,
    device,
    threads: 1,
    batchSize: 1,
    sequenceLength: 16,
    ...(isLong ? { steps: 4, frequency: 2 } : { steps: 2, frequency: 1 }),
    // As run.json has them: both are resolved when a run starts, and these tests open its folder afterwards.
    ranking: 'local',
    uniform: true,
    saveEvery: 2,
    learningRate: 1e-3,
    gradientCheckpointing: 'on',
  }) as PruneJob

const lossesOf = async (job: PruneJob, onEvent: (event: EngineEvent) => void = () => {}) => {
  const losses: (number | null)[] = []
  await run(job, (event) => {
    onEvent(event)
    if (event.type === 'step') losses.push(event.metrics.loss)
  })
  return losses
}

/** A run that is not to reach its end: few matrices are trained, and the state is saved after every step. */
const shortJob = (name: string): PruneJob => ({
  ...jobFor(name, 'webgpu'),
  targetModules: ['q', 'down'],
  steps: 3,
  frequency: 1,
  saveEvery: 1,
})

async function run(job: PruneJob, onEvent: (event: EngineEvent) => void = () => {}, resume = false) {
  return runJob(job, { emit: onEvent, signal: new AbortController().signal, resume })
}

/** The masks that a run ended with. */
function masksOf(job: PruneJob): Record<string, number[]> {
  using opened = closing(RunFolder.open(job.out, job))
  const { values } = opened.folder.load()!
  return Object.fromEntries(
    [...values].filter(([name]) => name.startsWith('mask.')).map(([name, { data: mask }]) => [name, [...mask]]),
  )
}
const closing = (opened: RunFolder) => ({ folder: opened, [Symbol.dispose]: () => opened.close() })

/** How many groups one run keeps and another does not, or the other way round. */
const different = (one: Record<string, number[]>, other: Record<string, number[]>): number =>
  Object.entries(one).flatMap(([name, mask]) => mask.filter((kept, group) => kept !== other[name]![group])).length

test('a LoRAPrune run keeps the same heads and channels as on the processor', needsData, async (t) => {
  const [here, there] = [jobFor('card', 'webgpu'), jobFor('processor', 'onnx')]
  const losses = await lossesOf(here)
  let expected = await lossesOf(there)
  const [masks, expectedMasks] = [masksOf(here), masksOf(there)]
  if (testsHalfPrecision) {
    // Of the groups that lie close to the cut some change places where factors are rounded to 16 bits, and then there are
    // other losses and gradients: as many on a processor that rounds the same factors, within twice.
    registerFrozenComposites('cpu')
    registerRoundedProducts()
    const rounding = jobFor('rounding', 'cpu')
    expected = await lossesOf(rounding)
    const [card, processor] = [masks, masksOf(rounding)].map((some) => different(some, expectedMasks))
    t.diagnostic(`${card} of ${176 * blocks} groups change places, and ${processor} on a processor that rounds`)
    assert.ok(card! <= 2 * processor! && processor! < 40, `${card} groups change places, not ${processor}`)
  } else assert.deepEqual(masks, expectedMasks)
  // A group that changes places changes the losses after it.
  const tolerance = testsHalfPrecision ? 0.2 : 1e-3
  for (const [i, loss] of losses.entries())
    assert.ok(Math.abs(loss! - expected[i]!) < tolerance, `step ${i + 1}: ${loss}, not ${expected[i]}`)
  using pruned = openCheckpoint(join(here.out, 'output'))
  assert.ok(pruned.config.layers.every(({ heads, channels }) => heads === 4 && channels === 86))
})

test(
  'what does not fit is streamed, which the estimate says with what it costs, and the run is the same',
  needsData,
  async () => {
    const estimates: Estimate[] = []
    const keep = (event: EngineEvent) => event.type === 'estimate' && estimates.push(event.estimate)
    const whole = { ...jobFor('whole', 'webgpu'), steps: isLong ? 2 : 1, int8: true }
    const losses = await lossesOf(whole, keep)
    const card = tf.backend() as unknown as CardBackend
    // Four fifths of the weights fit.
    const gigabytes = blocks === 5 ? 0.0004 : 0.00025
    process.env['SECATEUR_GPU_MEMORY'] = String(gigabytes)
    setWeightStore(card, new WeightStore(card, { budget: weightBudget(cardMemory(card.card.info)) }))
    const streamed = { ...whole, out: join(folder, 'streamed') }
    assert.deepEqual(await lossesOf(streamed, keep), losses)
    assert.deepEqual(masksOf(streamed), masksOf(whole))
    const { uploaded } = weightsOf(card)
    delete process.env['SECATEUR_GPU_MEMORY']
    setWeightStore(card, new WeightStore(card))
    const [fitting, large] = estimates.map(({ placement }) => placement!)
    assert.deepEqual([fitting!.streamedBytes, fitting!.secondsPerPass], [0, 0])
    assert.equal(large!.budgetBytes, 0.7 * gigabytes * 1e9)
    assert.ok(Math.abs(large!.streamedBytes - (large!.weightBytes - large!.budgetBytes!)) < 1)
    assert.ok(large!.streamedBytes > 0 && large!.secondsPerPass > 0)
    assert.ok(uploaded > 1.5 * large!.weightBytes, `${uploaded} bytes were uploaded in all`)
    assert.match(
      large!.detail,
      /do not fit on .*sent to it anew in every pass .* which takes (about|less than) [\d.]+ s\.$/,
    )
  },
)

/** Everything of a run that could stay behind on the card. */
function onCard() {
  const card = tf.backend() as unknown as CardBackend
  const { numTensors, numDataBuffers } = tf.memory()
  const { numBytesUsed, numBytesAllocated } = card.bufferManager
  const { bytes, hostBytes } = weightsOf(card)
  return { numTensors, numDataBuffers, numBytesUsed, weights: bytes, hostBytes, pool: numBytesAllocated }
}

const cancelled = isLong ? 20 : 3
// While weights are read, between two steps, and in the middle of one.
const moments: ((event: EngineEvent) => boolean)[] = [
  (event) => event.type === 'progress' && event.stage === 'reading weights',
  (event) => event.type === 'step' && event.metrics.step === 1,
  (event) => event.type === 'pruned',
]

async function cancel(name: string, at: (event: EngineEvent) => boolean): Promise<void> {
  const controller = new AbortController()
  const emit = (event: EngineEvent) => {
    if (at(event)) controller.abort(new SecateurError('interrupted', 'stopped'))
  }
  const context = { emit, signal: controller.signal, resume: false }
  await assert.rejects(runJob(shortJob(name), context), { kind: 'interrupted' })
}

test(`${cancelled} runs that are started and cancelled in a row leave the card as it was`, needsData, async () => {
  const card = tf.backend() as unknown as CardBackend
  // Weights of earlier tests go when their handles are collected.
  setWeightStore(card, new WeightStore(card))
  const { pool: _, ...earlier } = onCard()
  // The pool of buffers is given back with the model of a run; what the run disposes of after that is kept for the next one.
  await cancel('first', moments.at(-1)!)
  const { pool, ...rest } = onCard()
  assert.deepEqual(rest, earlier)
  for (let i = 0; i < cancelled; i++) await cancel(`cancelled ${i}`, moments[i % moments.length]!)
  assert.deepEqual(onCard(), { ...rest, pool })
})

test('a card that runs out of memory ends the run in words, with the state to go on from', needsData, async () => {
  const job = shortJob('full')
  const { device, card } = tf.backend() as unknown as CardBackend
  const size = device.limits.maxBufferSize
  const taken: GPUBuffer[] = []
  const fill = (event: EngineEvent) => {
    if (event.type !== 'step' || event.metrics.step !== 2) return
    // A driver that plays a card refuses the largest buffer; a card is full after some of them.
    const count = Math.ceil((2 * (card.memoryBytes ?? size)) / size)
    for (let i = 0; i < count; i++) taken.push(device.createBuffer({ size, usage: GPUBufferUsage.STORAGE }))
  }
  await assert.rejects(run(job, fill), {
    name: 'SecateurError',
    kind: 'does-not-fit',
    message: /graphics card ran out of memory: take a smaller batch size.*the state after step 1 is saved.*--resume/s,
  })
  for (const buffer of taken) buffer.destroy()
  const steps: number[] = []
  await run(job, (event) => event.type === 'step' && steps.push(event.metrics.step), true)
  assert.deepEqual(steps, [2, 3])
})

test('a card that is lost ends the run in words, with the last saved state to go on from', needsData, async () => {
  const job = shortJob('lost')
  const events: EngineEvent[] = []
  const lose = (event: EngineEvent) => {
    events.push(event)
    if (event.type === 'step' && event.metrics.step === 2) (tf.backend() as unknown as CardBackend).device.destroy()
  }
  await assert.rejects(run(job, lose), {
    name: 'SecateurError',
    kind: 'unsupported',
    message: /graphics card was lost.*--resume/s,
  })
  using opened = closing(RunFolder.open(job.out, job))
  assert.equal(opened.folder.load()!.step, 1)
  // The next start opens it again.
  await tf.setBackend('onnx')
  stopWebGpu()
  await chooseBackend({ device: 'webgpu' })
  assert.deepEqual([...tf.add(tf.tensor1d([1]), tf.tensor1d([2])).dataSync()], [3])
})
