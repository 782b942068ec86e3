import assert from 'node:assert/strict'
import { test } from 'node:test'
import { firstNonFinite } from '../../../engine/checkpoint/check-finite.ts'
import { convert, fromFloat32, toFloat32 } from '../../../engine/checkpoint/dtype.ts'
import type { WeightType } from '../../../engine/tensor/stored-tensor.ts'

const bytesOf = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
const halvesOf = (bytes: Uint8Array) => new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2)
const everyHalf = Uint16Array.from({ length: 65536 }, (_, bits) => bits)

/** The number that 16 bits stand for, from the definition of the format. */
function meaning(bits: number, exponentBits: number): number {
  const mantissaBits = 15 - exponentBits
  const bias = 2 ** (exponentBits - 1) - 1
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits & 0x7fff) >> mantissaBits
  const fraction = (bits & (2 ** mantissaBits - 1)) / 2 ** mantissaBits
  if (exponent === 2 ** exponentBits - 1) return fraction === 0 ? sign * Infinity : NaN
  return exponent === 0 ? sign * fraction * 2 ** (1 - bias) : sign * (1 + fraction) * 2 ** (exponent - bias)
}

for (const [dtype, exponentBits] of [
  ['float16', 5],
  ['bfloat16', 8],
] as const) {
  test(`all 65536 values of ${dtype} widen to what they stand for and come back`, () => {
    const wide = toFloat32({ dtype, bytes: bytesOf(everyHalf) })
    const back = halvesOf(fromFloat32(wide, dtype))
    for (let bits = 0; bits < 65536; bits++) {
      const value = meaning(bits, exponentBits)
      assert(Object.is(wide[bits], value), `${bits.toString(16)} is ${value}, not ${wide[bits]}`)
      if (Number.isNaN(value)) assert(Number.isNaN(meaning(back[bits]!, exponentBits)))
      else assert.equal(back[bits], bits)
    }
  })

  test(`${dtype} rounds to the nearest, ties to even`, () => {
    // Between every two neighbouring finite values: the midpoint and the float32 numbers just beside it.
    const largest = dtype === 'float16' ? 0x7bff : 0x7f7f
    const bits = new Uint32Array(1)
    const value = new Float32Array(bits.buffer)
    const beside = (middle: number, step: number) => {
      value[0] = middle
      bits[0]! += step
      return value[0]
    }
    const wide: number[] = []
    const expected: number[] = []
    for (let low = 0; low < largest; low += 7) {
      const middle = (meaning(low, exponentBits) + meaning(low + 1, exponentBits)) / 2
      wide.push(middle, -beside(middle, -1), beside(middle, 1))
      expected.push(low % 2 === 0 ? low : low + 1, 0x8000 + low, low + 1)
    }
    const rounded = halvesOf(fromFloat32(new Float32Array(wide), dtype))
    assert.deepEqual([...rounded], expected)
  })
}

test('a NaN whose payload would be rounded away stays NaN in bfloat16', () => {
  const bits = new Uint32Array([0x7f800001, 0xff800001, 0x7fffffff, 0x7f7fffff])
  const wide = toFloat32({ dtype: 'bfloat16', bytes: fromFloat32(new Float32Array(bits.buffer), 'bfloat16') })
  assert.deepEqual([...wide], [NaN, NaN, NaN, Infinity])
})

test('float32 is not copied where it is aligned, and is where it is not', () => {
  const values = new Float32Array([1, 2, 3])
  assert.equal(toFloat32({ dtype: 'float32', bytes: bytesOf(values) }).buffer, values.buffer)
  assert.equal(fromFloat32(values, 'float32').buffer, values.buffer)
  const shifted = new Uint8Array(13)
  shifted.set(bytesOf(values), 1)
  assert.deepEqual([...toFloat32({ dtype: 'float32', bytes: shifted.subarray(1) })], [1, 2, 3])
})

test('a tensor of the wanted type is itself', () => {
  const tensor = { name: 'a', dtype: 'float16' as const, shape: [2], bytes: bytesOf(new Uint16Array([0x3c00, 0])) }
  assert.equal(convert(tensor, 'float16'), tensor)
  assert.deepEqual([...halvesOf(convert(tensor, 'bfloat16').bytes)], [0x3f80, 0])
})

test('NaN and infinities are found in every type, and nothing else is', () => {
  for (const dtype of ['float32', 'float16', 'bfloat16'] satisfies WeightType[]) {
    const widest = dtype === 'float16' ? 65504 : 3e38
    const fine = [0, -0, 1e-8, -widest, widest]
    assert.equal(firstNonFinite({ dtype, bytes: fromFloat32(new Float32Array(fine), dtype) }), -1)
    for (const bad of [NaN, Infinity, -Infinity]) {
      assert.equal(firstNonFinite({ dtype, bytes: fromFloat32(new Float32Array([...fine, bad, 1]), dtype) }), 5)
    }
  }
})
