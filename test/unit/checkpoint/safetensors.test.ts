import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { StoredTensor } from '../../../engine/tensor/stored-tensor.ts'
import { SafetensorsWriter, writeSafetensors } from '../../../engine/checkpoint/safetensors-writer.ts'
import { SafetensorsFile } from '../../../engine/checkpoint/safetensors.ts'
import { SecateurError } from '../../../engine/shared/errors.ts'
import { pythonWith, runPython } from './python.ts'
import { safetensorsBytes, temporaryFolder, writeRaw } from './safetensors-bytes.ts'

const stored = (
  name: string,
  shape: number[],
  values: ArrayBufferView,
  dtype: StoredTensor['dtype'],
): StoredTensor => ({
  name,
  dtype,
  shape,
  bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
})

const sample = () => [
  stored('half', [3], new Uint16Array([0x3c00, 0xc000, 0x7bff]), 'float16'),
  stored('whole', [2, 3], new Float32Array([1, -2, 3.5, 4, 5, -6]), 'float32'),
  stored('brain', [1, 2], new Uint16Array([0x3f80, 0xc000]), 'bfloat16'),
  stored('empty', [0, 4], new Float32Array(0), 'float32'),
]

test('tensors and metadata come back as they were written, by whole and by rows', (context) => {
  const path = join(temporaryFolder(context), 'a.safetensors')
  writeSafetensors(path, sample(), { format: 'pt', made: 'here' })
  using file = new SafetensorsFile(path)
  assert.deepEqual(file.metadata, { format: 'pt', made: 'here' })
  assert.equal(file.bytes, readFileSync(path).length)
  for (const tensor of sample()) {
    const read = file.read(tensor.name)
    assert.deepEqual({ ...read, bytes: [...read.bytes] }, { ...tensor, bytes: [...tensor.bytes] })
    assert.equal(read.bytes.byteOffset % 8, 0)
    assert.equal(read.bytes.buffer.byteLength, read.bytes.byteLength)
  }
  const row = new Float32Array(3)
  file.readRows('whole', 1, 1, new Uint8Array(row.buffer))
  assert.deepEqual([...row], [4, 5, -6])
  assert.throws(() => file.readRows('whole', 1, 2, new Uint8Array(24)), RangeError)
  assert.throws(() => file.readRows('whole', 0, 1, new Uint8Array(24)), RangeError)
  for (const entry of file.tensors.values()) {
    assert.equal(entry.begin % (entry.dtype === 'F32' ? 4 : 2), 0, `${entry.name} is aligned`)
  }
})

test('a writer takes tensors in any order and refuses what was not planned', (context) => {
  const folder = temporaryFolder(context)
  const path = join(folder, 'a.safetensors')
  const [half, whole] = sample() as [StoredTensor, StoredTensor]
  using writer = new SafetensorsWriter(path, [half, whole])
  writer.write(whole)
  assert.deepEqual(writer.missing, ['half'])
  assert.throws(() => writer.write(whole), /whole was not planned or has been written/)
  assert.throws(() => writer.write({ ...half, shape: [4] }), /planned as float16 \[3\], 6 bytes; it is float16 \[4\]/)
  assert.throws(() => writer.finish(), /were not written: half/)
  assert.throws(() => writeSafetensors(join(folder, 'twice.safetensors'), [half, half]), /planned twice/)
  assert.deepEqual(readdirSync(folder), ['a.safetensors'], 'a failed write leaves nothing behind')
})

const f32 = (begin: number, end: number, shape = [(end - begin) / 4]) => ({
  dtype: 'F32',
  shape,
  data_offsets: [begin, end],
})
const huge = 2 ** 50

const malformed: [
  name: string,
  header: unknown,
  data: number,
  field: string | undefined,
  message: RegExp,
  claim?: bigint,
][] = [
  ['header longer than the file', {}, 0, 'header', /claims 1000 bytes in a file of 10/, 1000n],
  ['header length beyond all numbers', {}, 0, 'header', /claims 1844674407370955\d+ bytes/, 2n ** 64n - 1n],
  ['header that is no JSON', '{"a":', 0, 'header', /is not valid JSON/],
  ['header that is a list', '[]', 0, 'header', /must be a JSON object/],
  ['header with a null', 'null', 0, 'header', /must be a JSON object/],
  ['data cut off', { a: f32(0, 16), b: f32(16, 32) }, 20, 'b', /beyond the end of the file: that needs \d+ bytes/],
  ['offsets out of range', { a: f32(huge, huge + 4, [1]) }, 4, 'a', /beyond the end of the file/],
  ['offsets that run backwards', { a: f32(8, 4, [1]) }, 8, 'a', /end before they begin/],
  ['offsets that overlap', { a: f32(0, 8), b: f32(4, 12) }, 12, 'b', /overlaps a/],
  ['two tensors in one place', { a: f32(0, 8), b: f32(0, 8) }, 8, 'b', /overlaps a/],
  ['a hole', { a: f32(0, 4), b: f32(8, 12) }, 12, 'b', /leaves a hole of 4 bytes after a/],
  ['a hole at the start', { a: f32(4, 8) }, 8, 'a', /leaves a hole of 4 bytes after the header/],
  ['bytes left over', { a: f32(0, 4) }, 10, undefined, /has 6 bytes after a that belong to no tensor/],
  ['an unknown dtype', { a: { ...f32(0, 4), dtype: 'F33' } }, 4, 'a', /unknown dtype "F33"/],
  ['a dtype named like a method', { a: { ...f32(0, 4), dtype: 'toString' } }, 4, 'a', /unknown dtype/],
  ['a shape larger than its bytes', { a: f32(0, 8, [3]) }, 8, 'a', /is F32 \[3\], 12 bytes, but .* hold 8 bytes/],
  ['a shape beyond all numbers', { a: f32(0, 8, [huge, huge, huge]) }, 8, 'a', /but data_offsets hold 8 bytes/],
  ['a negative length', { a: f32(0, 8, [-2, -1]) }, 8, 'a.shape.0', /must be 0 or more, and is -2/],
  ['a broken length', { a: f32(0, 8, [1.5]) }, 8, 'a.shape.0', /must be a whole number, and is 1\.5/],
  [
    'offsets that are text',
    { a: { dtype: 'F32', shape: [], data_offsets: ['0', '4'] } },
    4,
    'a.data_offsets.0',
    /number/,
  ],
  ['no offsets', { a: { dtype: 'F32', shape: [] } }, 4, 'a.data_offsets', /is missing/],
  ['a name twice', '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\\u0061":1}', 4, 'a', /appears twice/],
  ['metadata that is no text', { __metadata__: { a: 1 } }, 0, '__metadata__.a', /must be text, and is 1/],
]

for (const [name, header, data, field, message, claim] of malformed) {
  test(`refuses ${name}`, (context) => {
    const path = writeRaw(temporaryFolder(context), header, data, claim)
    assert.throws(
      () => new SafetensorsFile(path),
      (error) => {
        assert(error instanceof SecateurError, String(error))
        assert.equal(error.kind, 'bad-file')
        assert.equal(error.file, path)
        assert.equal(error.field, field)
        assert.match(error.message, message)
        return true
      },
    )
  })
}

test('refuses files that are too short, no text, missing, or folders', (context) => {
  const folder = temporaryFolder(context)
  const path = join(folder, 'a.safetensors')
  writeFileSync(path, Buffer.alloc(7))
  assert.throws(() => new SafetensorsFile(path), /header: has 7 bytes, too few/)
  writeFileSync(path, Buffer.concat([safetensorsBytes('', 0, 2), Buffer.from([0xff, 0xfe])]))
  assert.throws(() => new SafetensorsFile(path), /header: is not UTF-8/)
  assert.throws(() => new SafetensorsFile(join(folder, 'absent')), /absent: does not exist/)
  assert.throws(() => new SafetensorsFile(folder), SecateurError)
})

test('a file cut at any byte is refused', (context) => {
  const folder = temporaryFolder(context)
  const path = join(folder, 'a.safetensors')
  writeSafetensors(path, sample())
  for (let length = readFileSync(path).length - 1; length >= 0; length -= 3) {
    truncateSync(path, length)
    assert.throws(() => new SafetensorsFile(path), SecateurError, `cut to ${length} bytes`)
  }
})

test('a file that shrinks after it was opened is reported', (context) => {
  const path = join(temporaryFolder(context), 'a.safetensors')
  writeSafetensors(path, sample())
  using file = new SafetensorsFile(path)
  truncateSync(path, file.bytes - 30)
  assert.throws(() => file.read('whole'), /became shorter while it was read/)
})

test('types that are no weights are listed, and refused when read as one', (context) => {
  const header = { ids: { dtype: 'I64', shape: [2], data_offsets: [0, 16] }, w: f32(16, 20) }
  using file = new SafetensorsFile(writeRaw(temporaryFolder(context), header, 20))
  assert.equal(file.tensors.get('ids')?.dtype, 'I64')
  assert.throws(() => file.read('ids'), /ids: is I64; weights are read as F32, F16 or BF16/)
  assert.throws(() => file.read('other'), /other: is not in the file/)
})

test('absurd sizes take no memory', (context) => {
  const folder = temporaryFolder(context)
  const before = process.memoryUsage().arrayBuffers
  for (const shape of [[2 ** 40], [2 ** 30, 2 ** 30], [2 ** 52]]) {
    const path = writeRaw(folder, { a: { dtype: 'F32', shape, data_offsets: [0, 2 ** 52] } }, 16)
    assert.throws(() => new SafetensorsFile(path), SecateurError)
  }
  assert.throws(() => new SafetensorsFile(writeRaw(folder, {}, 0, 2n ** 40n)), SecateurError)
  assert(process.memoryUsage().arrayBuffers - before < 1 << 20)
})

const openDescriptors = () => readdirSync('/proc/self/fd').length

test('no descriptor stays open after close or after an error', { skip: !existsSync('/proc/self/fd') }, (context) => {
  const folder = temporaryFolder(context)
  const path = join(folder, 'a.safetensors')
  writeSafetensors(path, sample())
  const before = openDescriptors()
  for (let i = 0; i < 5; i++) {
    using file = new SafetensorsFile(path)
    assert.equal(openDescriptors(), before + 1)
    file.close()
    assert.throws(() => file.read('whole'), /has been closed/)
  }
  const bad = writeRaw(folder, { a: f32(0, 4) }, 0)
  for (let i = 0; i < 5; i++) assert.throws(() => new SafetensorsFile(bad))
  assert.equal(openDescriptors(), before)
})

test('the safetensors library of Python reads our files', (context) => {
  const python = pythonWith(context, 'numpy', 'safetensors')
  if (!python) return
  const path = join(temporaryFolder(context), 'a.safetensors')
  writeSafetensors(
    path,
    sample().filter(({ dtype }) => dtype !== 'bfloat16'),
  )
  const script = `
import json, sys
from safetensors.numpy import load_file
print(json.dumps({name: value.tolist() for name, value in load_file(sys.argv[1]).items()}))`
  assert.deepEqual(runPython(python, script, path), {
    half: [1, -2, 65504],
    whole: [
      [1, -2, 3.5],
      [4, 5, -6],
    ],
    empty: [],
  })
})

test('PyTorch reads our files by the published format', (context) => {
  const python = pythonWith(context, 'torch')
  if (!python) return
  const path = join(temporaryFolder(context), 'a.safetensors')
  const tensors = sample().filter(({ bytes }) => bytes.length > 0)
  writeSafetensors(path, tensors)
  const script = `
import json, struct, sys, torch
data = open(sys.argv[1], 'rb').read()
start = 8 + struct.unpack('<Q', data[:8])[0]
header = json.loads(data[8:start])
types = {'F32': torch.float32, 'F16': torch.float16, 'BF16': torch.bfloat16}
assert header.pop('__metadata__') == {'format': 'pt'}
result = {}
for name, info in header.items():
    first, last = (start + offset for offset in info['data_offsets'])
    values = torch.frombuffer(bytearray(data[first:last]), dtype=types[info['dtype']])
    result[name] = values.reshape(info['shape']).float().tolist()
print(json.dumps(result))`
  assert.deepEqual(runPython(python, script, path), {
    half: [1, -2, 65504],
    whole: [
      [1, -2, 3.5],
      [4, 5, -6],
    ],
    brain: [[1, -2]],
  })
})
