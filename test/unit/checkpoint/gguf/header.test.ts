import assert from 'node:assert/strict'
import { closeSync, ftruncateSync, openSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { GgufFile, isGgufFile } from '../../../../engine/checkpoint/gguf/file.ts'
import { readGgufHeader } from '../../../../engine/checkpoint/gguf/header.ts'
import { openGguf } from '../../../../engine/checkpoint/gguf/open.ts'
import { SecateurError } from '../../../../engine/shared/errors.ts'
import { ggufBytes, type Key, type Parts, text, u32, u64, writeGguf } from './bytes.ts'

const keys: Key[] = [
  ['general.architecture', 'string', 'llama'],
  ['a.u8', 'uint8', 200],
  ['a.i16', 'int16', -3],
  ['a.f32', 'float32', 0.5],
  ['a.u64', 'uint64', 2 ** 40],
  ['a.flag', 'bool', true],
  ['a.texts', ['string'], ['one', 'zwei ü', '']],
  ['a.numbers', ['int32'], [1, -2, 3]],
  ['a.floats', ['float32'], [0.25, -1]],
]

/** Reads bytes as a file would be read. */
const read = (bytes: Buffer) =>
  readGgufHeader({
    path: 'a.gguf',
    bytes: bytes.length,
    readAt: (target, position) => bytes.copy(target, 0, position, position + target.length),
  })

test('keys and tensors are read as they were written', (context) => {
  const values = new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6).buffer)
  const tensors = [
    { name: 'a', shape: [2, 3], data: values },
    { name: 'b', type: 'Q4_K', shape: [3, 256] },
    { name: 'c', type: 'F16', shape: [5] },
  ] as const
  using file = new GgufFile(writeGguf(context, ggufBytes({ keys, tensors })))
  assert.equal(file.keys.text('general.architecture'), 'llama')
  assert.equal(file.keys.integer('a.u8'), 200)
  assert.equal(file.keys.number('a.i16'), -3)
  assert.equal(file.keys.number('a.f32'), 0.5)
  assert.equal(file.keys.integer('a.u64'), 2 ** 40)
  assert.equal(file.keys.flag('a.flag'), true)
  assert.deepEqual(file.keys.texts('a.texts'), ['one', 'zwei ü', ''])
  assert.deepEqual(file.keys.numbers('a.numbers'), [1, -2, 3])
  assert.deepEqual(file.keys.integerOfEach('a.u8', 2), [200, 200])
  assert.equal(file.keys.text('absent'), undefined)
  assert.throws(() => file.keys.integer('a.flag'), { message: /a\.flag: is of type bool; it must be a whole number/ })
  assert.throws(() => file.keys.integers('a.numbers'), { message: /a\.numbers\.1: is -2/ })
  assert.throws(() => file.keys.integerOfEach('a.numbers', 2, { least: -9 }), { message: /3 entries for 2 layers/ })
  const shapes = [...file.tensors.values()].map(({ name, type, shape, begin, end }) => [name, type, shape, end - begin])
  assert.deepEqual(shapes, [
    ['a', 'F32', [2, 3], 24],
    ['b', 'Q4_K', [3, 256], 3 * 144],
    ['c', 'F16', [5], 10],
  ])
  const stored = new Uint8Array(24)
  file.readAt(stored, file.tensors.get('a')!.begin)
  assert.deepEqual(stored, values)
})

test('an alignment of its own moves the data', () => {
  const tensors = [
    { name: 'a', shape: [1] },
    { name: 'b', shape: [1] },
  ]
  const { tensors: found } = read(ggufBytes({ alignment: 128, keys: [['general.alignment', 'uint32', 128]], tensors }))
  assert.equal(found.get('b')!.begin - found.get('a')!.begin, 128)
})

const claims = (bytes: Buffer): Key => bytes
const arrayOf = (items: number, count: bigint) => claims(Buffer.concat([text('k'), u32(9), u32(items), u64(count)]))

describe('a hostile header gives one error that names the place', () => {
  const one = { name: 'a', shape: [4, 8] }
  const cases: [string, Parts | Buffer, RegExp][] = [
    ['no bytes', Buffer.alloc(0), /header: needs 4 bytes/],
    ['another file', Buffer.from('<!doctype html><html>'), /is a web page/],
    ['other bytes', Buffer.from('abcdefghijk'), /header: does not begin with GGUF/],
    ['cut in the counts', ggufBytes().subarray(0, 20), /key count: needs 8 bytes from byte 16 on, and the file has 20/],
    ['version 1', { version: 1 }, /version: is 1, of which few/],
    ['big-endian', { version: 0x03000000 }, /version: is of a big-endian file/],
    ['version 99', { version: 99 }, /version: is 99; 2 and 3 are read/],
    ['too many tensors', { tensorCount: 2n ** 63n }, /tensor count: has the count or size 9223372036854775808/],
    ['many tensors', { tensorCount: 1_000_000_000 }, /tensor count: is 1000000000; at most/],
    ['more tensors than there are', { tensorCount: 1000 }, /tensor 0: has an empty name/],
    ['many keys', { keyCount: 1_000_000_000 }, /key count: is 1000000000; at most/],
    ['more keys than there are', { keys, keyCount: 500 }, /needs|empty name|unknown value type/],
    [
      'a long name',
      { keys: [claims(Buffer.concat([u64(2 ** 50), Buffer.from('x')]))] },
      /key 0: needs 1125899906842624/,
    ],
    ['a key without name', { keys: [['', 'bool', true]] }, /key 0: has an empty name/],
    ['a key twice', { keys: [keys[0]!, keys[0]!] }, /general\.architecture: is there twice/],
    [
      'an unknown value type',
      { keys: [claims(Buffer.concat([text('k'), u32(77)]))] },
      /k: has the unknown value type 77/,
    ],
    ['a long text', { keys: [claims(Buffer.concat([text('k'), u32(8), u64(2 ** 52)]))] }, /k: needs 4503599627370496/],
    [
      'a text that is none',
      { keys: [claims(Buffer.concat([text('k'), u32(8), u64(2), Buffer.of(0xff, 0xfe)]))] },
      /k: is not UTF-8/,
    ],
    ['a bool of 7', { keys: [['k', 'bool', 7]] }, /k: has the bool 7/],
    ['many numbers', { keys: [arrayOf(4, 2n ** 52n)] }, /k: needs/],
    ['more numbers', { keys: [arrayOf(10, 2n ** 62n)] }, /k: has the count or size/],
    ['many texts', { keys: [arrayOf(8, 2n ** 52n)] }, /k: needs/],
    ['arrays of arrays', { keys: [arrayOf(9, 2n ** 62n)] }, /k: is an array of arrays/],
    [
      'alignment 0',
      { keys: [['general.alignment', 'uint32', 0]] },
      /general\.alignment: is 0; it must be a power of two/,
    ],
    ['alignment 24', { keys: [['general.alignment', 'uint32', 24]] }, /general\.alignment: is 24/],
    ['alignment 2^31', { keys: [['general.alignment', 'uint32', 2 ** 31]] }, /general\.alignment: is 2147483648/],
    [
      'an alignment of text',
      { keys: [['general.alignment', 'string', '32']] },
      /general\.alignment: is of type string/,
    ],
    ['a tensor twice', { tensors: [one, one] }, /: a: is there twice/],
    ['tensors over each other', { tensors: [one, { ...one, name: 'b', offset: 96 }] }, /b: overlaps a/],
    ['an unknown type', { tensors: [{ ...one, typeId: 4 }] }, /: a: has the unknown type 4/],
    ['no dimension', { tensors: [{ ...one, dimensions: 0 }] }, /: a: has 0 dimensions/],
    ['nine dimensions', { tensors: [{ ...one, dimensions: 9 }] }, /: a: has 9 dimensions/],
    ['a dimension of 0', { tensors: [{ ...one, shape: [0, 8] }] }, /: a: has the shape \[0,8\], of no elements/],
    [
      'dimensions that overflow',
      { tensors: [{ ...one, shape: [2 ** 31, 2 ** 31, 2 ** 31] }] },
      /: a: has the absurd shape/,
    ],
    [
      'a dimension that is no number',
      { tensors: [{ ...one, shape: [2n ** 64n - 1n, 1] }] },
      /: a: has the count or size/,
    ],
    [
      'broken blocks',
      { tensors: [{ ...one, typeId: 12 }] },
      /: a: has rows of 8 numbers; rows of Q4_K are multiples of 256/,
    ],
    ['an odd offset', { tensors: [{ ...one, offset: 5 }] }, /: a: has the offset 5, which is no multiple/],
    ['an offset beyond', { tensors: [{ ...one, offset: 2 ** 40 }] }, /: a: is F32 \[4,8\] and ends at byte/],
    ['an absurd offset', { tensors: [{ ...one, offset: 2n ** 63n }] }, /: a: has the count or size/],
    [
      'a tensor that is cut',
      ggufBytes({ tensors: [one] }).subarray(0, -8),
      /: a: is F32 \[4,8\] and ends .* truncated/,
    ],
  ]
  for (const [name, parts, message] of cases) {
    test(name, () => {
      const bytes = Buffer.isBuffer(parts) ? parts : ggufBytes(parts)
      const before = process.memoryUsage()
      assert.throws(
        () => read(bytes),
        (error: unknown) => {
          assert.ok(error instanceof SecateurError, String(error))
          assert.equal(error.file, 'a.gguf')
          assert.match(error.message, message)
          return true
        },
      )
      const { heapUsed, arrayBuffers } = process.memoryUsage()
      assert.ok(heapUsed + arrayBuffers < before.heapUsed + before.arrayBuffers + 50e6)
    })
  }
})

test('a header cut anywhere is an error, and never a wrong tensor', () => {
  const whole = ggufBytes({ keys, tensors: [{ name: 'a', shape: [2, 2] }] })
  read(whole)
  for (let length = 0; length < whole.length - 16; length++) {
    assert.throws(() => read(whole.subarray(0, length)), SecateurError, `${length} bytes`)
  }
})

test('a huge file of nothing does not fill memory', (context) => {
  const path = writeGguf(context, ggufBytes({ keys: [Buffer.concat([text('k'), u32(9), u32(0), u64(2 ** 33)])] }))
  const descriptor = openSync(path, 'r+')
  ftruncateSync(descriptor, 2 ** 34)
  closeSync(descriptor)
  assert.throws(() => new GgufFile(path), { message: /k: makes the header longer than 100000000 bytes/ })
})

const part = (number: number, name: string) =>
  ggufBytes({
    keys: [
      ...(number === 0 ? keys : []),
      ['split.no', 'uint16', number],
      ['split.count', 'uint16', 2],
      ['split.tensors.count', 'int32', 2],
    ],
    tensors: [{ name, shape: [2] }],
  })

test('the parts of a split model are opened together, whichever is named', (context) => {
  const first = writeGguf(context, part(0, 'a'), 'm-00001-of-00002.gguf')
  const second = join(dirname(first), 'm-00002-of-00002.gguf')
  assert.throws(() => openGguf(first), { message: /m-00002-of-00002\.gguf: is missing beside m-00001/ })
  writeFileSync(second, part(1, 'b'))
  for (const path of [first, second]) {
    const model = openGguf(path)
    assert.equal(model.path, first)
    assert.deepEqual([...model.tensors.keys()], ['a', 'b'])
    assert.equal(model.keys.text('general.architecture'), 'llama')
    for (const file of model.files) file.close()
  }
  writeFileSync(second, part(1, 'a'))
  assert.throws(() => openGguf(first), { message: /m-00002-of-00002\.gguf: a: is also in m-00001-of-00002\.gguf/ })
  writeFileSync(second, part(0, 'b'))
  assert.throws(() => openGguf(first), {
    message: /00002-of-00002\.gguf: split\.no: is 0; by the file's name it must be 1/,
  })
  const alone = join(dirname(first), 'renamed.gguf')
  renameSync(first, alone)
  assert.throws(() => openGguf(alone), { message: /renamed\.gguf: split\.count: is 2, but the file's name is not/ })
})

test('a file is GGUF by its first bytes, whatever its name', (context) => {
  const path = writeGguf(context, ggufBytes(), 'sha256-0123')
  assert.equal(isGgufFile(path), true)
  assert.equal(isGgufFile(dirname(path)), false)
  assert.equal(isGgufFile(`${path}-absent`), false)
})
