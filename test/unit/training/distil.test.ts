import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { z } from 'zod'
import { pairsOf } from '../../../engine/lora/adapter.ts'
import { maskTensors } from '../../../engine/pruning/masks.ts'
import { tf } from '../../../engine/tensor/tf.ts'
import { lossAndGradients } from '../../../engine/training/gradients.ts'
import { adapter as adapterSchema } from '../../fixtures/read.ts'
import { assertMatrices, assertWithin, openFixture, startBackend } from '../models/shared.ts'

before(startBackend)

/** What make_distil_fixture.py writes. */
const { cases } = z
  .object({
    cases: z.array(
      z.object({ share: z.number(), temperature: z.number(), loss: z.number(), gradients: adapterSchema }),
    ),
  })
  .parse(JSON.parse(readFileSync(join(import.meta.dirname, '../../fixtures/distil.json'), 'utf8')))

for (const { share, temperature, loss: expected, gradients: wanted } of cases)
  for (const keep of [true, false])
    test(`loss and gradients against the dense model are PyTorch's: share ${share}, temperature ${temperature}, ${keep ? 'activations kept' : 'blocks computed again'}`, () => {
      const { fixture, model, adapter, batch } = openFixture('llama_gqa')
      const masks = maskTensors(
        model.config,
        fixture.masked!.layers.map(({ keyValueHeads, channels }) => ({
          heads: Uint8Array.from(keyValueHeads),
          channels: Uint8Array.from(channels),
        })),
      )
      const divisor = tf.scalar(batch.targets)
      const options = { masks, keep, teacher: { model, share, temperature } }
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
  const options = { teacher: { model, share: 1, temperature: 1 } }
  const { loss, gradients } = lossAndGradients(model, still, batch, tf.scalar(batch.targets), options)
  assertWithin(loss.dataSync(), [0], 1e-6, 'loss')
  for (const [, { a, b }] of gradients.flatMap(pairsOf))
    for (const matrix of [a, b]) assertWithin(matrix.dataSync(), new Float32Array(matrix.size), 1e-6, 'gradient')
})
