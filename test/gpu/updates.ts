// What a graphics card promises of an adapter's update. Run by test/gpu/swiftshader.test.ts and `npm run test:gpu`.
import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import type { CardBackend } from '../../engine/backends/webgpu/backend.ts'
import { type LayerMatrices, pairsOf } from '../../engine/lora/adapter.ts'
import { type Tensor, tf } from '../../engine/tensor/tf.ts'
import { AdamW, clipGradients } from '../../engine/training/adamw.ts'
import { openFixture, startBackend } from '../unit/models/shared.ts'

before(startBackend)

const dispatchesOf = (work: () => void): number => {
  const card = tf.backend() as unknown as CardBackend
  const earlier = card.dispatches
  work()
  return card.dispatches - earlier
}
const changed = (layers: readonly LayerMatrices[], change: (tensor: Tensor) => Tensor): LayerMatrices[] =>
  layers.map((layer) =>
    Object.fromEntries(pairsOf(layer).map(([name, { a, b }]) => [name, { a: change(a), b: change(b) }])),
  )

test('clipping and updating an adapter take a fraction of a dispatch a matrix', () => {
  const { adapter } = openFixture('llama_gqa')
  const optimiser = new AdamW(adapter.layers, { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0 })
  const gradients = changed(adapter.layers, (tensor) => tf.add(tensor, 1))
  const matrices = 2 * adapter.layers.flatMap((layer) => pairsOf(layer)).length
  const most = Math.ceil(matrices / 2)
  const clipping = dispatchesOf(() => assert.ok(clipGradients(gradients, 1e-3) > 1))
  assert.ok(clipping <= most, `${clipping} dispatches clip ${matrices} matrices`)
  const update = dispatchesOf(() => optimiser.apply(adapter.layers, gradients, 1, 1e-3))
  assert.ok(update <= most, `${update} dispatches update ${matrices} matrices`)
})
