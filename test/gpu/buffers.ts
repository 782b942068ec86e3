// What a graphics card's buffers are used for again, and when they are given back. Run by test/gpu/swiftshader.test.ts and
// `npm run test:gpu`.
import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import type { CardBackend } from '../../engine/backends/webgpu/backend.ts'
import { freedOnTheWayBack } from '../../engine/tensor/freed-tape.ts'
import { disposeModel } from '../../engine/models/load.ts'
import { type Tensor, tf } from '../../engine/tensor/tf.ts'
import { passOf } from '../../engine/training/gradients.ts'
import { firstBlock, openFixture, startBackend } from '../unit/models/shared.ts'

before(startBackend)

const pool = () => (tf.backend() as unknown as CardBackend).bufferManager

/** Bytes of buffers that are in use at the same time while work is done, beside those before it. */
function mostUsed(work: () => void): number {
  const buffers = pool()
  const earlier = buffers.numBytesUsed
  const acquire = buffers.acquireBuffer.bind(buffers)
  let most = earlier
  buffers.acquireBuffer = (...call) => {
    const buffer = acquire(...call)
    most = Math.max(most, buffers.numBytesUsed)
    return buffer
  }
  try {
    work()
  } finally {
    Reflect.deleteProperty(buffers, 'acquireBuffer')
  }
  return most - earlier
}

test('what is disposed of is computed in again before anything is sent', () => {
  const x = tf.ones([64, 64]) as Tensor
  tf.add(x, 1).dispose()
  const links = 12
  let y = tf.add(x, 1) as Tensor
  const most = mostUsed(() => {
    for (let i = 0; i < links; i++) {
      const next = tf.mul(y, 2) as Tensor
      y.dispose()
      y = next
    }
  })
  assert.ok(most < 2 * 4 * x.size, `${most} bytes for ${links} arrays of ${4 * x.size}`)
  const values = y.dataSync()
  assert.ok(values.every((value) => value === 2 ** (links + 1)))
  tf.dispose([x, y])
})

test('the gradients of a block are those of TensorFlow.js, in less memory', () => {
  const { model, adapter, batch } = openFixture('llama_gqa')
  using pass = passOf(model.config, batch)
  const { block, matrices } = firstBlock(model, adapter, pass)
  const x = tf.randomNormal([batch.rows * batch.length, model.config.hiddenSize], 0, 1, 'float32', 1) as Tensor
  const found = (f: typeof block) => {
    let gradients: Tensor[] = []
    const bytes = mostUsed(() => (gradients = tf.grads(f)([...matrices, x], x.clone())))
    const values = gradients.map((gradient) => gradient.dataSync())
    tf.dispose(gradients)
    return { bytes, values }
  }
  const [plain, freed] = [found(block), found(freedOnTheWayBack(block))]
  assert.deepEqual(freed.values, plain.values)
  assert.ok(freed.bytes < 0.75 * plain.bytes, `${freed.bytes} bytes in place of ${plain.bytes}`)
  x.dispose()
})

test('a model that is disposed of leaves no buffer that nobody uses', () => {
  const { model } = openFixture('llama_gqa')
  const [x, y] = [tf.ones([32, 32]), tf.ones([33, 32])] as [Tensor, Tensor]
  tf.dispose([tf.add(x, 1), tf.add(y, 1)])
  const { numBytesAllocated, numBytesUsed } = pool()
  assert.ok(numBytesAllocated > numBytesUsed, 'something is kept for reuse')
  disposeModel(model)
  assert.equal(pool().numBytesAllocated, pool().numBytesUsed)
  assert.deepEqual([...tf.add(x, 1).dataSync()].slice(0, 2), [2, 2])
  tf.dispose([x, y])
})
