import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { chooseBackend } from '../../../engine/backends/choose.ts'
import { loraPruneScores } from '../../../engine/pruning/criteria/loraprune.ts'
import { tf } from '../../../engine/tensor/tf.ts'
import { lossAndGradients } from '../../../engine/training/gradients.ts'
import { assertMatrices, assertWithin, forward, openFixture } from '../models/shared.ts'

// TensorFlow's library computes at once and has none of our fused kernels; so does tfjs's own back end on the processor.
before(() => chooseBackend({ device: 'cpu' }))

test('the fused operations come out right where they are made of plain ones', () => {
  const { fixture, model, adapter, batch } = openFixture('llama_gqa')
  assertWithin(forward(model, batch), fixture.logits.data, 1e-4, 'logits')
  const { loss, gradients } = lossAndGradients(model, adapter, batch, tf.scalar(batch.targets))
  assertWithin(loss.dataSync(), [fixture.lora.loss], 1e-5, 'loss')
  assertMatrices(gradients, fixture.lora.gradients, 1e-5, 'gradient')
  const scores = loraPruneScores(model, adapter, gradients, {
    power: 1,
    normalise: 'none',
    reduction: 'sum',
    headGroups: 'query-heads',
  })
  assert.ok(
    scores.every(({ heads, channels }) => heads.every((score) => score > 0) && channels.every((score) => score > 0)),
  )
})
