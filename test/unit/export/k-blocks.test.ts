import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromFloat32, toFloat32 } from '../../../engine/checkpoint/dtype.ts'
import { dequantise } from '../../../engine/checkpoint/gguf/dequantise.ts'
import type { TensorTypeName } from '../../../engine/checkpoint/gguf/types.ts'
import { encode } from '../../../engine/export/quantise/encode.ts'

/** Sums of three waves: about normal, with a size that changes from part to part. */
const numbers = Float32Array.from(
  { length: 4096 },
  (_, i) => (Math.sin(i * 1.7) + Math.sin(i * i * 0.013) + Math.sin(i * 0.61 + 2)) * (1 + (Math.floor(i / 32) % 5)),
)

function errorOf(type: TensorTypeName, values: Float32Array): number {
  const task = { dtype: 'float32', columns: 256, rows: null, places: null, added: 0, factor: 1, type } as const
  const encoded = encode({ ...task, bytes: fromFloat32(values, 'float32') })
  assert.ok('bytes' in encoded)
  const back = toFloat32(dequantise(type, encoded.bytes))
  const squares = (of: (i: number) => number) => values.reduce((sum, _, i) => sum + of(i) ** 2, 0)
  return Math.sqrt(squares((i) => values[i]! - back[i]!) / squares((i) => values[i]!))
}

/** Relative errors of the same numbers by llama.cpp (ggml_quantize_chunk, v0.5.0). */
const byLlamaCpp: [TensorTypeName, number][] = [
  ['Q4_K', 0.06832],
  ['Q5_K', 0.03438],
  ['Q6_K', 0.01669],
]
for (const [type, error] of byLlamaCpp)
  test(`${type} is no further from the numbers than llama.cpp's`, () => {
    const own = errorOf(type, numbers)
    assert.ok(own <= error, `${own}`)
  })

test('numbers that a block holds exactly stay what they are', () => {
  const ladder = Float32Array.from({ length: 256 }, (_, i) => (i % 16) * 0.5 - 2)
  assert.ok(errorOf('Q4_K', ladder) < 1e-3)
  assert.ok(errorOf('Q5_K', ladder) < 1e-3)
  for (const type of ['Q4_K', 'Q5_K', 'Q6_K'] as const) {
    assert.equal(errorOf(type, new Float32Array(256).fill(0.25)) < 0.01, true, type)
    const encoded = encode({
      bytes: fromFloat32(new Float32Array(256), 'float32'),
      dtype: 'float32',
      columns: 256,
      rows: null,
      places: null,
      added: 0,
      factor: 1,
      type,
    })
    assert.ok('bytes' in encoded)
    assert.ok(toFloat32(dequantise(type, encoded.bytes)).every((value) => value === 0))
  }
})
