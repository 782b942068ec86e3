import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { generate } from '../../../engine/evaluation/generation.ts'
import type { TokenBatch } from '../../../engine/data/batches.ts'
import { pairsOf } from '../../../engine/lora/adapter.ts'
import { Random } from '../../../engine/shared/random.ts'
import { tf } from '../../../engine/tensor/tf.ts'
import { lossAndGradients } from '../../../engine/training/gradients.ts'
import { FIXTURES } from '../../fixtures/read.ts'
import { testedBackend, testsHalfPrecision } from '../../tested-backend.ts'
import {
  assertMatrices,
  assertWithin,
  batchOf,
  forward,
  largestDifference,
  lastLogits,
  openFixture,
  startBackend,
} from './shared.ts'

before(startBackend)

for (const name of FIXTURES) {
  test(`${name}: logits, adapted loss and every adapter gradient are PyTorch's`, () => {
    const { fixture, model, adapter, batch } = openFixture(name)
    assertWithin(forward(model, batch), fixture.logits.data, 1e-4, 'logits')
    if (fixture.lora.logits)
      assertWithin(forward(model, batch, { adapter }), fixture.lora.logits.data, 1e-4, 'adapted logits')
    const { loss, gradients } = lossAndGradients(model, adapter, batch, tf.scalar(batch.targets))
    assertWithin(loss.dataSync(), [fixture.lora.loss], 1e-5, 'loss')
    assertMatrices(gradients, fixture.lora.gradients, 1e-5, 'gradient')
  })
}

/** Mean cross-entropy of logits [rows * length * vocabulary] over the targets of a batch. */
function meanLoss(logits: Float32Array, { labels, targets }: TokenBatch): number {
  const vocabulary = logits.length / labels.length
  let total = 0
  for (const [at, label] of labels.entries()) {
    if (label < 0) continue
    const scores = logits.subarray(at * vocabulary, (at + 1) * vocabulary)
    const largest = Math.max(...scores)
    total += largest + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - largest), 0)) - scores[label]!
  }
  return total / targets
}

const tooCoarse = testsHalfPrecision && 'a slope is too small a difference for products of 16-bit floats'
test('the gradient agrees with the slope of the loss', { skip: tooCoarse }, () => {
  const { model, adapter, batch } = openFixture('qwen3_norm_headdim')
  const { gradients } = lossAndGradients(model, adapter, batch, tf.scalar(batch.targets))
  const lossWith = (layer: number, projection: 'q' | 'down', side: 'a' | 'b', element: number, change: number) => {
    const pair = adapter.layers[layer]![projection]!
    const old = pair[side]
    const values = Float32Array.from(old.dataSync())
    values[element] = values[element]! + change
    pair[side] = tf.tensor(values, old.shape)
    const loss = meanLoss(forward(model, batch, { adapter }), batch)
    pair[side] = old
    return loss
  }
  const step = 1e-2
  for (const [layer, projection, side] of [
    [0, 'q', 'a'],
    [0, 'down', 'b'],
    [1, 'q', 'b'],
    [1, 'down', 'a'],
  ] as const) {
    const gradient = [...gradients[layer]![projection]![side].dataSync()]
    // The steepest element stands out most clearly from rounding.
    const magnitudes = gradient.map(Math.abs)
    const element = magnitudes.indexOf(Math.max(...magnitudes))
    const slope =
      (lossWith(layer, projection, side, element, step) - lossWith(layer, projection, side, element, -step)) /
      (2 * step)
    const relative = Math.abs(slope - gradient[element]!) / Math.abs(gradient[element]!)
    assert.ok(relative < 5e-3, `layers.${layer}.${projection}.${side}: ${slope} is not ${gradient[element]}`)
  }
})

test('packed documents see themselves alone, from position 0', () => {
  const { fixture, model, adapter } = openFixture('llama_gqa')
  const { segments, targets, logits, loss } = fixture.packed!
  const positions = segments.flatMap((row) => row.map((segment, at) => at - row.indexOf(segment)))
  const batch = {
    ...batchOf({ ids: fixture.ids, targets }),
    segments: Int32Array.from(segments.flat()),
    positions: Int32Array.from(positions),
  }
  const packed = forward(model, batch)
  assertWithin(packed, logits.data, 1e-4, 'packed logits')
  assert.ok(largestDifference(packed, fixture.logits.data) > 0.1)
  // An adapter whose B is zero adds nothing.
  for (const matrices of adapter.layers) for (const [, pair] of pairsOf(matrices)) pair.b = tf.zerosLike(pair.b)
  const result = lossAndGradients(model, adapter, batch, tf.scalar(batch.targets))
  assertWithin(result.loss.dataSync(), [loss], 1e-5, 'packed loss')
})

/** Longer than the window of a model that has one. A processor that plays a card takes half a second for each. */
const tokens = testedBackend === 'webgpu' && !process.env['SECATEUR_GPU_LONG'] ? 6 : 16

test('the cached continuation is the one of repeated whole passes', async () => {
  for (const name of ['llama_gqa', 'mistral_window', 'secateur_ragged'] as const) {
    const { fixture, model } = openFixture(name)
    const prompt = fixture.ids[0]!.slice(0, 6)
    const whole = [...prompt]
    for (let i = 0; i < tokens; i++) {
      const scores = lastLogits(model, whole)
      whole.push(scores.indexOf(Math.max(...scores)))
    }
    const { ids } = await generate(model, prompt, {
      tokens,
      temperature: 0,
      topP: 1,
      random: new Random(1),
      stop: [],
    })
    assert.deepEqual([...prompt, ...ids], whole, name)
  }
})

test('a step leaves no tensors behind', () => {
  const { model, adapter, batch } = openFixture('llama_gqa')
  const divisor = tf.scalar(batch.targets)
  const start = tf.memory().numTensors
  const { loss, gradients } = lossAndGradients(model, adapter, batch, divisor)
  const made = 1 + gradients.reduce((sum, layer) => sum + 2 * Object.keys(layer).length, 0)
  assert.equal(tf.memory().numTensors - start, made)
  loss.dispose()
  forward(model, batch, { adapter })
  assert.equal(tf.memory().numTensors - start, made - 1)
})
