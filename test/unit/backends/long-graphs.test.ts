import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import type { OnnxBackend } from '../../../engine/backends/onnx/backend.ts'
import { chooseBackend } from '../../../engine/backends/choose.ts'
import { tf } from '../../../engine/tensor/tf.ts'

before(() => chooseBackend({ device: 'onnx', threads: 1 }))

test('a graph that becomes too long at a kernel with several outputs keeps all of them', () => {
  const backend = tf.backend() as OnnxBackend
  const halves = tf.tidy(() => {
    let sum = tf.tensor1d([1, 2, 3, 4])
    while (backend.graph.length < 4096) sum = sum.add(1)
    return tf.split(sum, 2).map((half) => half.sub(sum.slice(0, 2)))
  })
  assert.deepEqual(
    halves.map((half) => [...half.dataSync()]),
    [
      [0, 0],
      [2, 2],
    ],
  )
  tf.dispose(halves)
})
