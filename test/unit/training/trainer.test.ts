import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import type { Batches, TokenBatch } from '../../../engine/data/batches.ts'
import { createAdapter, pairsOf } from '../../../engine/lora/adapter.ts'
import { maskTensors } from '../../../engine/pruning/masks.ts'
import { Random } from '../../../engine/shared/random.ts'
import { tf } from '../../../engine/tensor/tf.ts'
import { dropoutSource } from '../../../engine/training/dropout.ts'
import { lossAndGradients } from '../../../engine/training/gradients.ts'
import { Trainer, type TrainerSettings } from '../../../engine/training/trainer.ts'
import {
  adapterOf,
  assertMatrices,
  assertWithin,
  forward,
  openFixture,
  rowsOfBatch,
  startBackend,
} from '../models/shared.ts'
import { testsHalfPrecision } from '../../tested-backend.ts'

before(startBackend)

/** The given batches, again and again. */
const repeat = (...batches: TokenBatch[]): Batches => ({
  perEpoch: batches.length,
  tokensPerEpoch: batches.reduce((sum, { ids }) => sum + ids.length, 0),
  at: (index) => batches[index % batches.length]!,
})

const plain: TrainerSettings = {
  steps: 3,
  gradientAccumulation: 1,
  maxGradientNorm: 1,
  seed: 7,
  learningRate: 0.01,
  warmupRatio: 0,
  learningRateSchedule: 'constant',
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0.01,
}

/** All values of an adapter, in order. */
const valuesOf = ({ adapter }: Trainer): number[] =>
  adapter.layers.flatMap((matrices) => pairsOf(matrices).flatMap(([, { a, b }]) => [...a.dataSync(), ...b.dataSync()]))

for (const name of ['llama_mha', 'llama_gqa'] as const) {
  test(`${name}: three AdamW steps are PyTorch's`, () => {
    const { fixture, model, adapter, batch } = openFixture(name)
    const { losses, gradientNorms, adapter: expected, clipNorm, ...settings } = fixture.training!
    const trainer = new Trainer(model, adapter, repeat(batch), { ...plain, ...settings, maxGradientNorm: clipNorm })
    const results = [1, 2, 3].map((step) => trainer.step(step))
    const column = (key: 'loss' | 'gradientNorm') => results.map((result) => result[key])
    assertWithin(column('loss'), losses, 1e-5, 'losses')
    assertWithin(column('gradientNorm'), gradientNorms, 1e-5, 'gradient norms')
    // A gradient near zero may change its sign where factors are rounded to 16 bits, and Adam then steps the other way.
    const tolerance = testsHalfPrecision ? 2 * results.length * settings.learningRate : 1e-5
    assertMatrices(adapter.layers, expected, tolerance, 'adapter')
    assert.deepEqual(
      results.map(({ tokens, learningRate }) => [tokens, learningRate]),
      Array.from({ length: 3 }, () => [batch.ids.length, settings.learningRate]),
    )
  })
}

test('the observer sees clipped gradients, before the adapter changes', () => {
  const { fixture, model, adapter, batch } = openFixture('llama_gqa')
  const trainer = new Trainer(model, adapter, repeat(batch), plain)
  let squares = 0
  const { gradientNorm } = trainer.step(1, ({ gradients }) => {
    for (const matrices of gradients)
      for (const [, { a, b }] of pairsOf(matrices))
        for (const value of [...a.dataSync(), ...b.dataSync()]) squares += value * value
    assertMatrices(adapter.layers, fixture.lora.adapter, 0, 'adapter')
  })
  assert.ok(gradientNorm > 1)
  assert.ok(Math.abs(Math.sqrt(squares) - 1) < 1e-4, `clipped to ${Math.sqrt(squares)}`)
  assert.throws(() => assertMatrices(adapter.layers, fixture.lora.adapter, 1e-3, 'adapter'), /differs by/)
})

test('two micro-batches make the step of one with their rows, however many targets each has', () => {
  const { fixture, model, batch } = openFixture('llama_mha')
  const [first, second] = [rowsOfBatch(batch, 0, 1), rowsOfBatch(batch, 1, 1)]
  assert.notEqual(first.targets, second.targets)
  const whole = new Trainer(model, adapterOf(model, fixture), repeat(batch), plain)
  const halves = new Trainer(model, adapterOf(model, fixture), repeat(first, second), {
    ...plain,
    gradientAccumulation: 2,
  })
  for (const step of [1, 2]) {
    const [one, other] = [whole.step(step), halves.step(step)]
    assertWithin([other.loss, other.gradientNorm], [one.loss, one.gradientNorm], 1e-5, `step ${step}`)
    assert.equal(other.tokens, one.tokens)
  }
  assertWithin(valuesOf(halves), valuesOf(whole), 1e-5, 'adapter')
})

test('what is masked takes no gradient, and the loss is that of the masked model', () => {
  const { fixture, model, adapter, batch } = openFixture('llama_mha')
  const masks = fixture.masked!.layers.map(({ keyValueHeads, channels }) => ({
    heads: Uint8Array.from(keyValueHeads),
    channels: Uint8Array.from(channels),
  }))
  const tensors = maskTensors(model.config, masks)
  const { loss, gradients } = lossAndGradients(model, adapter, batch, tf.scalar(batch.targets), { masks: tensors })
  const logits = fixture.masked!.logits
  const vocabulary = logits.shape.at(-1)!
  let sum = 0
  for (const [at, label] of batch.labels.entries()) {
    if (label < 0) continue
    const scores = logits.data.subarray(at * vocabulary, (at + 1) * vocabulary)
    sum += Math.log(scores.reduce((total, score) => total + Math.exp(score), 0)) - scores[label]!
  }
  assertWithin(loss.dataSync(), [sum / batch.targets], 1e-5, 'loss')
  const { headSize } = model.config
  for (const [layer, { heads, channels }] of masks.entries()) {
    for (const [projection, mask, size] of [
      ['q', heads, headSize],
      ['k', heads, headSize],
      ['v', heads, headSize],
      ['gate', channels, 1],
      ['up', channels, 1],
    ] as const) {
      const { b } = gradients[layer]![projection]!
      const values = b.dataSync()
      const rank = b.shape[1]!
      for (const [group, kept] of mask.entries()) {
        const ofGroup = values.slice(group * size * rank, (group + 1) * size * rank)
        assert.equal(
          ofGroup.some((value) => value !== 0),
          kept === 1,
          `layers.${layer}.${projection} group ${group}`,
        )
      }
    }
  }
})

test('the same seed gives the same bits, with dropout too, and another seed others', () => {
  const { fixture, model, batch } = openFixture('llama_gqa')
  const run = (seed: number, dropout: number) => {
    const trainer = new Trainer(model, adapterOf(model, fixture, dropout), repeat(batch), { ...plain, seed })
    const losses = [1, 2, 3].map((step) => trainer.step(step).loss)
    return { losses, values: valuesOf(trainer) }
  }
  assert.deepEqual(run(1, 0), run(1, 0))
  assert.deepEqual(run(1, 0), run(2, 0))
  const dropped = run(1, 0.2)
  assert.deepEqual(run(1, 0.2), dropped)
  assert.notDeepEqual(run(2, 0.2).losses, dropped.losses)
  assert.notDeepEqual(run(1, 0).losses, dropped.losses)
})

test('a run that starts again from its state goes on as if it had not stopped, dropout included', () => {
  const { fixture, model, batch } = openFixture('llama_gqa')
  const adapter = adapterOf(model, fixture, 0.1)
  const whole = new Trainer(model, adapter, repeat(batch), plain)
  whole.step(1)
  whole.step(2)
  const again = new Trainer(model, { ...adapter, layers: copyOf(adapter.layers) }, repeat(batch), plain)
  again.optimiser.first = copyOf(whole.optimiser.first)
  again.optimiser.second = copyOf(whole.optimiser.second)
  assert.deepEqual(again.step(3), whole.step(3))
  assert.deepEqual(valuesOf(again), valuesOf(whole))
})

const copyOf = (layers: Trainer['adapter']['layers']): Trainer['adapter']['layers'] =>
  layers.map((matrices) =>
    Object.fromEntries(pairsOf(matrices).map(([projection, { a, b }]) => [projection, { a: a.clone(), b: b.clone() }])),
  )

const dropoutOf = (index: number, probability: number) =>
  dropoutSource(new Random(5).fork(`dropout.${index}`), probability, () => 100)

test('dropout drops its share of elements, keeps their mean and differs between batches and projections', () => {
  assert.equal(dropoutOf(0, 0), undefined)
  const draw = (index: number, layer: number, projection: 'q' | 'k') => [
    ...dropoutOf(index, 0.25)!(layer, projection, 400)!.dataSync(),
  ]
  const values = draw(0, 0, 'q')
  assert.equal(values.length, 40_000)
  const zeros = values.filter((value) => value === 0).length / values.length
  // Five standard deviations of a share of 40,000 draws.
  assert.ok(Math.abs(zeros - 0.25) < 0.011, `${zeros} were dropped`)
  assert.ok(values.every((value) => value === 0 || Math.abs(value - 4 / 3) < 1e-6))
  assert.deepEqual(draw(0, 0, 'q'), values)
  for (const other of [draw(1, 0, 'q'), draw(0, 1, 'q'), draw(0, 0, 'k')]) assert.notDeepEqual(other, values)
})

test('a step whose gradients are not finite leaves the adapter as it was', () => {
  const { fixture, model, batch } = openFixture('llama_gqa')
  const adapter = adapterOf(model, fixture)
  const spoilt = adapter.layers[0]!.q!.a
  adapter.layers[0]!.q!.a = tf.fill(spoilt.shape, Number.NaN)
  const trainer = new Trainer(model, adapter, repeat(batch), plain)
  const untouched = adapter.layers[1]!.down!.b.dataSync()
  const { loss, gradientNorm } = trainer.step(1)
  assert.ok(Number.isNaN(loss) && Number.isNaN(gradientNorm))
  assert.deepEqual(adapter.layers[1]!.down!.b.dataSync(), untouched)
})

test('training lowers the loss and leaves no tensors behind', () => {
  const { model, batch } = openFixture('llama_gqa')
  const settings = { rank: 4, alpha: 8, dropout: 0.05, rankStabilised: true, targetModules: ['q', 'v'] }
  const adapter = createAdapter(model.config, settings, new Random(3))
  assertWithin(forward(model, batch, { adapter }), forward(model, batch), 1e-6, 'a fresh adapter adds nothing')
  const trainer = new Trainer(model, adapter, repeat(batch), { ...plain, steps: 20, learningRate: 0.05 })
  const first = trainer.step(1).loss
  const { numTensors } = tf.memory()
  let last = first
  for (let step = 2; step <= 20; step++) last = trainer.step(step).loss
  assert.ok(last < first - 0.2, `${first} only became ${last}`)
  assert.equal(tf.memory().numTensors, numTensors)
  trainer.dispose()
  assert.equal(tf.memory().numTensors, numTensors - 2 * 2 * 2 * model.layers.length)
})

test('while nothing has left, the dense model alone teaches nothing: gradients are of the labels, for scores', () => {
  const { model, adapter, batch } = openFixture('llama_gqa')
  const whole = maskTensors(
    model.config,
    model.config.layers.map(({ keyValueHeads, channels }) => ({
      heads: new Uint8Array(keyValueHeads).fill(1),
      channels: new Uint8Array(channels).fill(1),
    })),
  )
  const teacher = { model, isDense: true, share: 1, temperature: 1, hidden: 0 }
  const trainer = new Trainer(model, adapter, repeat(batch), { ...plain, teacher })
  const untrained = valuesOf(trainer)
  const found = trainer.gradients(1, whole, true)
  assert.ok(found.norm > 1e-3, `the norm is ${found.norm}`)
  assert.equal(trainer.update(1, found).loss, 0)
  assert.deepEqual(valuesOf(trainer), untrained)
  trainer.dispose()
  // Another teacher, and one beside labels, teach from the start.
  for (const other of [{ isDense: false }, { share: 0.5 }]) {
    const taught = new Trainer(model, adapter, repeat(batch), { ...plain, teacher: { ...teacher, ...other } })
    const next = taught.gradients(1, whole, true)
    assert.equal(next.onlyScored, false)
    assert.ok(taught.update(1, next).loss > 0)
    taught.dispose()
  }
})
