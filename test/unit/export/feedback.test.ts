import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromFloat32, toFloat32 } from '../../../engine/checkpoint/dtype.ts'
import { dequantise } from '../../../engine/checkpoint/gguf/dequantise.ts'
import { encode, type Known } from '../../../engine/export/quantise/encode.ts'
import { feedbackOf } from '../../../engine/export/quantise/feedback.ts'
import { Random } from '../../../engine/shared/random.ts'

const [size, rows, tokens] = [64, 24, 256]
const random = new Random(3)
const weights = Float32Array.from({ length: rows * size }, () => random.normal())
/** Features that come from a few others, as those of a model do. */
const causes = Float32Array.from({ length: tokens * 12 }, () => random.normal())
const mixing = Float32Array.from({ length: 12 * size }, (_, i) => random.normal() * (1 + (i % 5)))
const inputs = Float32Array.from({ length: tokens * size }, (_, at) => {
  const [token, feature] = [Math.floor(at / size), at % size]
  let sum = 0.1 * random.normal()
  for (let cause = 0; cause < 12; cause++) sum += causes[token * 12 + cause]! * mixing[cause * size + feature]!
  return sum
})
const products = Float32Array.from({ length: size * size }, (_, at) => {
  let sum = 0
  for (let token = 0; token < tokens; token++)
    sum += inputs[token * size + Math.floor(at / size)]! * inputs[token * size + (at % size)]!
  return sum
})
const squares = Float32Array.from({ length: size }, (_, i) => products[i * size + i]!)

/** Squared error of what the layer gives, over all tokens. */
function outputError(type: 'Q4_0' | 'Q8_0', known: Known | null): number {
  const task = { dtype: 'float32', columns: size, rows: null, places: null, added: 0, factor: 1, type, known } as const
  const encoded = encode({ ...task, bytes: fromFloat32(weights, 'float32') })
  assert.ok('bytes' in encoded)
  const back = toFloat32(dequantise(type, encoded.bytes))
  let error = 0
  for (let row = 0; row < rows; row++)
    for (let i = 0; i < size; i++)
      for (let j = 0; j < size; j++) {
        const off = (at: number) => weights[row * size + at]! - back[row * size + at]!
        error += off(i) * products[i * size + j]! * off(j)
      }
  return error
}

for (const type of ['Q4_0', 'Q8_0'] as const)
  test(`${type} that makes up for its errors gives outputs much nearer to those of the weights`, () => {
    const plain = outputError(type, null)
    const compensated = outputError(type, { squares, feedback: feedbackOf(products, null) })
    assert.ok(compensated < plain / 4, `${compensated} of ${plain}`)
  })

test('factors and weights are those of the products', () => {
  const small = Float32Array.of(4, 2, 2, 3)
  const { factors, weights: left } = feedbackOf(small, null)
  const damped = 0.01 * 3.5
  // H = (U + I) D (U + I)^T: the last feature has its own square, the first what the last leaves of it.
  assert.ok(Math.abs(left[1]! - (3 + damped)) < 1e-5)
  assert.ok(Math.abs(factors[1]! - 2 / (3 + damped)) < 1e-5)
  assert.ok(Math.abs(left[0]! - (4 + damped - 4 / (3 + damped))) < 1e-5)
  const placed = feedbackOf(small, Int32Array.of(1, -1))
  assert.ok(Math.abs(placed.weights[0]! - (3 + damped)) < 1e-5)
  assert.equal(placed.factors[1], 0)
})
