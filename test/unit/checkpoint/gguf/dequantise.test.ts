import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { z } from 'zod'
import { dequantise, dequantisedType, isQuantised } from '../../../../engine/checkpoint/gguf/dequantise.ts'
import { bitsPerWeight, tensorTypes, type TensorTypeName } from '../../../../engine/checkpoint/gguf/types.ts'

const names = Object.keys(tensorTypes) as TensorTypeName[]
const file = join(import.meta.dirname, '../../../fixtures/gguf-blocks.json')
const bytes = z.string().transform((text) => new Uint8Array(Buffer.from(text, 'base64')))
const fixture = z
  .record(z.string(), z.object({ blocks: bytes, numbers: bytes }))
  .parse(JSON.parse(readFileSync(file, 'utf8')))

test('blocks of every quantised type give the numbers of the gguf package, bit for bit', () => {
  const read = names.filter(isQuantised)
  assert.deepEqual(Object.keys(fixture).sort(), read.toSorted())
  for (const name of read) {
    const { blocks, numbers } = fixture[name]!
    const { dtype, bytes: found } = dequantise(name, blocks)
    assert.equal(dtype, 'float32')
    assert.equal(dequantisedType(name, 'a.gguf', 't'), 'float32')
    assert.equal(Buffer.compare(found, numbers), 0, name)
  }
})

test('numbers that are not quantised stay as they are', () => {
  const stored = Uint8Array.of(1, 2, 3, 4)
  for (const [name, dtype] of [
    ['F32', 'float32'],
    ['F16', 'float16'],
    ['BF16', 'bfloat16'],
  ] as const) {
    assert.deepEqual(dequantise(name, stored), { dtype, bytes: stored })
    assert.equal(dequantisedType(name, 'a.gguf', 't'), dtype)
  }
})

test('other types are refused by name', () => {
  for (const name of names.filter((each) => !tensorTypes[each].read)) {
    assert.throws(() => dequantisedType(name, 'a.gguf', 'blk.0.attn_q.weight'), {
      kind: 'unsupported',
      message: new RegExp(
        `a\\.gguf: blk\\.0\\.attn_q\\.weight: is ${name}, which is not read; read are F32, F16, BF16, Q4_0`,
      ),
    })
  }
  for (const name of names.filter((each) => tensorTypes[each].read)) dequantisedType(name, 'a.gguf', 't')
  assert.throws(() => dequantise('Q4_0', new Uint8Array(17)), RangeError)
})

test('bits for a weight count the scales', () => {
  assert.deepEqual(
    (['F32', 'Q8_0', 'Q4_0', 'Q4_K', 'Q6_K', 'IQ4_XS'] as const).map(bitsPerWeight),
    [32, 8.5, 4.5, 4.5, 6.5625, 4.25],
  )
})
