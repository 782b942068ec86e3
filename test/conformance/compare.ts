import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { chooseBackend } from '../../engine/backends/choose.ts'
import { type DataType, type Tensor, tf } from '../../engine/tensor/tf.ts'
import { testedBackend } from '../tested-backend.ts'
import type { Case, Operand } from './case.ts'
import { toleranceOf, webGpuGap } from './webgpu-gaps.ts'

/** Numbers between -2 and 2 that repeat from run to run and avoid ties and kinks. */
export function floats(shape: number[], seed = 1, scale = 2): Operand {
  const size = shape.reduce((product, length) => product * length, 1)
  const values = Array.from({ length: size }, (_, i) => {
    const wave = Math.sin((i + 1) * 12.9898 + seed * 78.233) * 43758.5453
    return scale * (2 * (wave - Math.floor(wave)) - 1)
  })
  return { shape, dtype: 'float32', values }
}
export const positive = (shape: number[], seed = 1): Operand => {
  const { values } = floats(shape, seed)
  return { shape, dtype: 'float32', values: values.map((value) => Math.abs(value) + 0.1) }
}
export const integers = (shape: number[], below: number, seed = 1): Operand => {
  const { values } = floats(shape, seed, 0.5)
  return { shape, dtype: 'int32', values: values.map((value) => Math.floor((value + 0.5) * below)) }
}
export const truths = (shape: number[], seed = 1): Operand => ({ ...integers(shape, 2, seed), dtype: 'bool' })
export const given = (values: number[], shape = [values.length], dtype: DataType = 'float32'): Operand => ({
  shape,
  dtype,
  values,
})

/** Shapes of every rank from 0 to 6, with sizes of 1, odd sizes and nothing at all. */
export const shapes: number[][] = [
  [],
  [1],
  [7],
  [3, 5],
  [2, 3, 4],
  [2, 1, 3, 5],
  [1, 2, 3, 1, 4],
  [2, 1, 2, 3, 1, 2],
  [0],
  [3, 0, 2],
]

/** Pairs of shapes that broadcast. */
export const pairs: [number[], number[]][] = [
  [[], []],
  [[5], []],
  [[3, 4], [4]],
  [
    [3, 1],
    [1, 4],
  ],
  [
    [2, 3, 4],
    [3, 1],
  ],
  [
    [2, 1, 3, 1],
    [4, 1, 5],
  ],
  [
    [1, 2, 1, 2, 3],
    [2, 1, 2, 1, 1],
  ],
  [[2, 1, 2, 1, 2, 3], [3]],
  [[0, 4], [4]],
  [
    [2, 0, 3],
    [2, 1, 1],
  ],
]

interface Result {
  shape: number[]
  dtype: DataType
  values: number[]
}

const read = (tensor: Tensor): Result => ({
  shape: tensor.shape,
  dtype: tensor.dtype,
  values: Array.from(tensor.dataSync() as ArrayLike<number>),
})

function evaluate({ operands, compute, gradient }: Case): Result[] {
  const results: Result[] = []
  tf.tidy(() => {
    const tensors = operands.map(({ values, shape, dtype }) => tf.tensor(values, shape, dtype))
    results.push(...[compute(...tensors)].flat().map(read))
    if (!gradient) return
    // A weight that differs from element to element shows gradients that land in the wrong place.
    const total = (...args: Tensor[]) => {
      const outputs = [compute(...args)].flat()
      return tf.addN(
        outputs.map((output) =>
          tf.sum(
            tf.mul(
              output,
              tf.tensor(
                Float32Array.from({ length: output.size }, (_, i) => Math.cos(i)),
                output.shape,
              ),
            ),
          ),
        ),
      )
    }
    const gradients = tf.grads(total as never)(tensors)
    results.push(...gradients.map(read))
  })
  return results
}

function assertClose(actual: Result, expected: Result, tolerance: number, what: string): void {
  assert.deepEqual(actual.shape, expected.shape, `${what}: shape`)
  assert.equal(actual.dtype, expected.dtype, `${what}: dtype`)
  for (const [i, value] of expected.values.entries()) {
    const got = actual.values[i]!
    const same =
      Object.is(value, got) ||
      (Number.isNaN(value) && Number.isNaN(got)) ||
      value === got ||
      Math.abs(got - value) <= tolerance * (1 + Math.abs(value))
    assert.ok(same, `${what}: element ${i} is ${got}, the reference says ${value}`)
  }
}

/** Declares a test for each case: the back end that is tested against tfjs's own on the processor. */
export function conform(cases: Case[]): void {
  before(() => chooseBackend({ device: testedBackend, threads: 2 }))
  for (const item of cases) {
    const title = `${item.name}(${item.operands.map(({ dtype, shape }) => `${dtype}[${shape}]`).join(', ')})`
    test(title, { skip: webGpuGap(item) }, async () => {
      tf.enableProdMode()
      await tf.setBackend('cpu')
      const expected = evaluate(item)
      await tf.setBackend(testedBackend)
      const actual = evaluate(item)
      assert.equal(actual.length, expected.length)
      for (const [i, result] of actual.entries()) {
        assertClose(result, expected[i]!, toleranceOf(item), i === 0 ? 'result' : `result or gradient ${i}`)
      }
    })
  }
}
