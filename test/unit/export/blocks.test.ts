import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TensorTypeName } from '../../../engine/checkpoint/gguf/types.ts'
import { encode } from '../../../engine/export/quantise/encode.ts'
import { fromFloat32 } from '../../../engine/checkpoint/dtype.ts'

/** Two blocks of numbers of many sizes. */
const numbers = Float32Array.from({ length: 64 }, (_, i) => Math.sin(i * i * 0.37 + i) * (1 + (i % 7)))

const encodedAs = (type: TensorTypeName, values: Float32Array, columns = values.length) =>
  encode({
    bytes: fromFloat32(values, 'float32'),
    dtype: 'float32',
    columns,
    rows: null,
    places: null,
    added: 0,
    factor: 1,
    type,
  })

/** What ggml_quantize_chunk of llama.cpp (v0.5.0) makes of the numbers. */
const expected: [TensorTypeName, string][] = [
  [
    'Q8_0',
    '092b0024ee03d56c3a00093409c04611eee4dab8e16b811101ceb7a7dc7ef31ccaf5012b394b0cee0bfe24a6c8f4f9dc0328d7d675112136fdb666adf7163033e79f7fee',
  ],
  ['Q4_0', 'fb3a683a67f8059f8c58392b69f47ca95776f3ba1473675987d826de9c79585aa8e60b9b'],
  ['Q5_0', 'fb36eb376828b074ced00b2e07a07157b1f8e9429efdf3b6a8dfb0b119e7ce920f903cab17d2a1a530cb0525'],
  ['Q5_1', '2d37fbc6eb376828b074cdd00a2d07907156b1f8e8329dec51364ac543204f4ee5082f5bdf3dc221c60c4c48ae03f8b8'],
]
for (const [type, hex] of expected)
  test(`${type} has the bytes of llama.cpp`, () => {
    const encoded = encodedAs(type, numbers)
    assert.ok('bytes' in encoded)
    assert.equal(Buffer.from(encoded.bytes).toString('hex'), hex)
  })

test('a block of zeros has the scale -0, as in llama.cpp', () => {
  const encoded = encodedAs('Q4_0', new Float32Array(32))
  assert.ok('bytes' in encoded)
  assert.deepEqual([...encoded.bytes], [0, 128, ...Array.from({ length: 16 }, () => 0x88)])
})

test('numbers that no float16 holds are refused, by the type', () => {
  const encoded = encodedAs('F16', Float32Array.of(1, 70_000))
  assert.ok('message' in encoded)
  assert.match(encoded.message, /too large for F16; write bf16 or f32/)
  assert.ok('bytes' in encodedAs('BF16', Float32Array.of(1, 70_000)))
})

test('rows and columns are put where they belong, and others are zero', () => {
  const encoded = encode({
    bytes: fromFloat32(Float32Array.of(1, 2, 3, 4, 5, 6), 'float32'),
    dtype: 'float32',
    columns: 3,
    rows: Int32Array.of(1, -1, 0),
    places: Int32Array.of(2, 0, -1),
    added: 0,
    factor: 2,
    type: 'F32',
  })
  assert.ok('bytes' in encoded)
  assert.deepEqual([...new Float32Array(encoded.bytes.buffer)], [12, 8, 0, 0, 0, 0, 6, 2, 0])
})
