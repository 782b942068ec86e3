import { tf } from '../../engine/tensor/tf.ts'
import type { Case } from './case.ts'
import { conform, floats, integers } from './compare.ts'

const cases: Case[] = []
const add = (name: string, operands: Case['operands'], compute: Case['compute'], gradient = true) =>
  cases.push({ name, operands, compute, gradient, tolerance: 5e-6 })

const batches: [number[], number[]][] = [
  [[], []],
  [[2], [2]],
  [
    [2, 3],
    [2, 3],
  ],
  [
    [2, 1, 2],
    [2, 1, 2],
  ],
]
for (const [left, right] of batches) {
  for (const transposeA of [false, true]) {
    for (const transposeB of [false, true]) {
      const a = floats([...left, ...(transposeA ? [5, 3] : [3, 5])])
      const b = floats([...right, ...(transposeB ? [4, 5] : [5, 4])], 2)
      add(`matMul ${transposeA ? "A'" : 'A'} ${transposeB ? "B'" : 'B'}`, [a, b], (x, y) =>
        tf.matMul(x, y, transposeA, transposeB),
      )
    }
  }
}
add('broadcast over batches', [floats([1, 3, 5]), floats([4, 5, 2])], (x, y) => tf.matMul(x, y), false)
add('one matrix for many', [floats([3, 2, 5]), floats([5, 2])], (x, y) => tf.matMul(x, y), false)
add('transposed broadcast', [floats([1, 5, 3]), floats([4, 2, 5])], (x, y) => tf.matMul(x, y, true, true), false)
add('no inner elements', [floats([3, 0]), floats([0, 2])], (x, y) => tf.matMul(x, y), false)
add('no rows', [floats([0, 3]), floats([3, 2])], (x, y) => tf.matMul(x, y))
add('integers', [integers([2, 3], 9), integers([3, 4], 9)], (x, y) => tf.matMul(x, y), false)
add('dot', [floats([5]), floats([5], 2)], (x, y) => tf.dot(x, y))
add('outer product', [floats([3]), floats([4], 2)], (x, y) => tf.outerProduct(x as never, y as never))
add('einsum', [floats([2, 3, 4]), floats([2, 4, 5])], (x, y) => tf.einsum('bij,bjk->bik', x, y), false)
add('einsum that sums', [floats([3, 4]), floats([4, 3])], (x, y) => tf.einsum('ij,ji->i', x, y), false)
for (const activation of ['linear', 'relu', 'relu6', 'elu', 'sigmoid', 'leakyrelu'] as const) {
  add(
    `fused matMul with ${activation}`,
    [floats([3, 4]), floats([4, 5]), floats([5], 3)],
    (a, b, bias) => tf.fused.matMul({ a, b, bias, activation, leakyreluAlpha: 0.3 }),
    // The fused operations have gradients for these alone.
    false,
  )
}
add(
  'fused matMul with prelu',
  [floats([3, 4]), floats([5, 4]), floats([5], 3)],
  (a, b, alpha) => tf.fused.matMul({ a, b, transposeB: true, activation: 'prelu', preluActivationWeights: alpha }),
  false,
)

conform(cases)
