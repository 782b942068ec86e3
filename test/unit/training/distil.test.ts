import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { z } from 'zod'
import { pairsOf } from '../../../engine/lora/adapter.ts'
import { distilLossOfLogits } from '../../../engine/ops/distil-loss.ts'
import { findTop, topLossOfLogits, type TopRows } from '../../../engine/ops/distil-top.ts'
import { TopCacheFolder } from '../../../engine/runs/top-cache.ts'
import { Random } from '../../../engine/shared/random.ts'
import { lessonOf, type TopCache } from '../../../engine/training/teacher.ts'
import { maskTensors } from '../../../engine/pruning/masks.ts'
import { tf } from '../../../engine/tensor/tf.ts'
import { lossAndGradients } from '../../../engine/training/gradients.ts'
import { adapter as adapterSchema } from '../../fixtures/read.ts'
import { assertMatrices, assertWithin, openFixture, rowsOfBatch, startBackend } from '../models/shared.ts'

before(startBackend)

const folder = mkdtempSync(join(tmpdir(), 'secateur-teachers-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** What make_distil_fixture.py writes. */
const { cases } = z
  .object({
    cases: z.array(
      z.object({
        share: z.number(),
        temperature: z.number(),
        /** Likeliest tokens of the teacher that are learnt from; 0: all. */
        top: z.int(),
        /** Weight of hidden states. */
        hidden: z.number(),
        loss: z.number(),
        gradients: adapterSchema,
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(join(import.meta.dirname, '../../fixtures/distil.json'), 'utf8')))

for (const { share, temperature, top, hidden, loss: expected, gradients: wanted } of cases)
  for (const keep of [true, false])
    test(`loss and gradients against the dense model are PyTorch's: share ${share}, temperature ${temperature}, ${top || 'all'} tokens, hidden states ${hidden}, ${keep ? 'activations kept' : 'blocks computed again'}`, () => {
      const { fixture, model, adapter, batch } = openFixture('llama_gqa')
      const masks = maskTensors(
        model.config,
        fixture.masked!.layers.map(({ keyValueHeads, channels }) => ({
          heads: Uint8Array.from(keyValueHeads),
          channels: Uint8Array.from(channels),
        })),
      )
      const divisor = tf.scalar(batch.targets)
      using cache = top > 0 ? new TopCacheFolder(folder, top, model.config.vocabularySize, assert.fail) : undefined
      const options = { masks, keep, teacher: { model, share, temperature, hidden, cache } }
      const tensors = tf.memory().numTensors
      const { loss, gradients } = lossAndGradients(model, adapter, batch, divisor, options)
      assertWithin(loss.dataSync(), [expected], 1e-5, 'loss')
      assertMatrices(gradients, wanted, 1e-5, 'gradients')
      tf.dispose([loss, gradients as never])
      assert.equal(tf.memory().numTensors, tensors)
    })

test('against itself, without adapter and masks, a model has nothing to learn', () => {
  const { model, adapter, batch } = openFixture('llama_mha')
  const still = {
    ...adapter,
    layers: adapter.layers.map((matrices) =>
      Object.fromEntries(pairsOf(matrices).map(([name, { a, b }]) => [name, { a, b: tf.zerosLike(b) }])),
    ),
  }
  const options = { teacher: { model, share: 1, temperature: 1, hidden: 0 } }
  const { loss, gradients } = lossAndGradients(model, still, batch, tf.scalar(batch.targets), options)
  assertWithin(loss.dataSync(), [0], 1e-6, 'loss')
  for (const [, { a, b }] of gradients.flatMap(pairsOf))
    for (const matrix of [a, b]) assertWithin(matrix.dataSync(), new Float32Array(matrix.size), 1e-6, 'gradient')
})

test('the gradient of a loss against the likeliest tokens is the slope of that loss, which is no more than of all tokens', () => {
  const random = new Random(4)
  const [n, size] = [3, 11]
  const logits = (seed: number) =>
    Float32Array.from({ length: n * size }, (_, at) => 2 * random.fork(`${seed} ${at}`).normal())
  const student = logits(1)
  const labels = tf.tensor1d([2, -1, 7], 'int32')
  const divisor = tf.scalar(2)
  const top: TopRows = { k: 4, ids: new Int32Array(4 * n), shares: new Float32Array(4 * n) }
  for (const settings of [
    { share: 1, temperature: 1 },
    { share: 0.6, temperature: 1.7 },
  ]) {
    findTop(logits(2), size, settings.temperature, top, 0)
    const lossOf = (values: Float32Array) =>
      topLossOfLogits(tf.tensor2d(values, [n, size]), top, labels, divisor, settings)
    const gradient = lossOf(student)[1].dataSync()
    for (const at of [0, 2, 5, size + 3, 2 * size + 1, 2 * size + 7]) {
      const [less, more] = [-1e-2, 1e-2].map((step) => {
        const values = Float32Array.from(student)
        values[at] = values[at]! + step
        return lossOf(values)[0].dataSync()[0]!
      }) as [number, number]
      assertWithin([(more - less) / 2e-2], [gradient[at]!], 2e-3, `slope at ${at}`)
    }
    const all = distilLossOfLogits(
      tf.tensor2d(student, [n, size]),
      tf.tensor2d(logits(2), [n, size]),
      labels,
      divisor,
      settings,
    )
    assert.ok(lossOf(student)[0].dataSync()[0]! <= all[0].dataSync()[0]! + 1e-6)
  }
})

test('a teacher with a cache reads each sequence once, and damaged ones again', () => {
  const { model, adapter, batch } = openFixture('llama_gqa')
  const place = join(folder, 'once')
  const lossWith = (cache: TopCache) => {
    const options = { teacher: { model, share: 1, temperature: 1, hidden: 0, cache } }
    const { loss, gradients } = lossAndGradients(model, adapter, batch, tf.scalar(batch.targets), options)
    tf.dispose(gradients as never)
    return loss.dataSync()[0]
  }
  const open = () => new TopCacheFolder(place, 6, model.config.vocabularySize, assert.fail)
  let first
  {
    using cache = open()
    assert.equal(cache.find(batch), null)
    first = lossWith(cache)
    assert.ok(cache.find(batch))
    // Where a sequence stands, and what pads it, makes no difference.
    const shorter = rowsOfBatch(batch, 1, 1)
    const padded = {
      ...shorter,
      ids: Int32Array.from([...shorter.ids, 0, 0]),
      labels: Int32Array.from([...shorter.labels, -1, -1]),
      length: shorter.length + 2,
    }
    const found = cache.find(padded)!
    const last = shorter.labels.findLastIndex((label) => label >= 0) + 1
    assert.deepEqual(
      found.ids.subarray(0, 6 * last),
      cache.find(batch)!.ids.subarray(6 * batch.length, 6 * (batch.length + last)),
    )
    assert.equal(cache.find({ ...padded, segments: new Int32Array(padded.length) }), null)
  }
  const files = () => readdirSync(place)
  assert.equal(files().length, 1)
  {
    using cache = open()
    const teacher = { share: 1, temperature: 1, hidden: 0, cache, model: { ...model, layers: [] } }
    assert.ok('top' in lessonOf(teacher, batch, () => assert.fail('the teacher is not asked')))
    assert.equal(lossWith(cache), first)
  }
  assert.equal(files().length, 1)
  const file = join(place, files()[0]!)
  const bytes = readFileSync(file)
  bytes[60] = bytes[60]! ^ 1
  writeFileSync(file, bytes.subarray(0, -5))
  using cache = open()
  assert.equal(cache.find(batch), null)
  assert.equal(lossWith(cache), first)
  assert.equal(files().length, 2)
})
