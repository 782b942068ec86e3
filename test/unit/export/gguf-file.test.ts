import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { GgufWriter, layOutGguf, type GgufValue } from '../../../engine/checkpoint/gguf/writer.ts'
import { preTokenizerName } from '../../../engine/export/gguf/pre-tokenizer.ts'
import { exportCheckpoint } from '../../../engine/jobs/export.ts'
import { type ExportJob, exportSchema } from '../../../engine/contract/index.ts'
import { checkTokenizerJson } from '../../../engine/tokenizer/tokenizer-json.ts'
import { type FixtureName, fixtureModel } from '../../fixtures/read.ts'

const folder = mkdtempSync(join(tmpdir(), 'secateur-gguf-'))
after(() => rmSync(folder, { recursive: true, force: true }))

test('a file has its keys, the places of its tensors, and the tensors on multiples of 32', () => {
  const keys = new Map<string, GgufValue>([
    ['general.architecture', { type: 'string', value: 'llama' }],
    ['flags', { type: 'array', of: 'bool', value: [true, false] }],
  ])
  const tensors = [
    { name: 'a', type: 'F32', shape: [3] },
    { name: 'b', type: 'Q8_0', shape: [2, 32] },
  ] as const
  const { header, bytes } = layOutGguf(keys, tensors)
  assert.equal(bytes, header.length + 32 + 96)
  const file = join(folder, 'small.gguf')
  using writer = new GgufWriter(file, keys, tensors)
  writer.write('b', 34, new Uint8Array(34).fill(2))
  assert.throws(() => writer.write('a', 4, new Uint8Array(12)), /do not fit into tensor a/)
  assert.throws(() => writer.finish(), /not written whole: a, b/)
  using whole = new GgufWriter(file, keys, tensors)
  whole.write('b', 0, new Uint8Array(68).fill(1))
  whole.write('a', 0, new Uint8Array(Float32Array.of(1, 2, 3).buffer))
  whole.finish()
  const written = readFileSync(file)
  assert.equal(written.length, bytes)
  assert.equal(written.toString('latin1', 0, 4), 'GGUF')
  assert.equal(written.readUInt32LE(4), 3)
  assert.equal(written.readBigUInt64LE(8), 2n)
  assert.equal(written.readBigUInt64LE(16), 2n)
  assert.equal(written.readFloatLE(header.length + 8), 3)
  assert.equal(written[header.length + 32], 1)
})

const jobOf = (name: string, settings: object = {}): ExportJob =>
  exportSchema.parse({
    kind: 'export',
    format: 'gguf',
    checkpoint: fixtureModel('llama_gqa'),
    out: join(folder, name),
    type: 'f16',
    proof: false,
    ...settings,
  })

test('an export says its size, and overwrites nothing', async () => {
  const job = jobOf('model.gguf')
  const context = { emit: () => {}, signal: new AbortController().signal, resume: false }
  const { export: written } = await exportCheckpoint(job, context)
  assert.equal(written!.bytes, readFileSync(job.out).length)
  assert.equal(written!.layout, 'stock')
  assert.equal(Math.round(written!.bitsPerWeight), 16)
  await assert.rejects(exportCheckpoint(job, context), /model.gguf: already exists/)
})

test('a stopped export, or one that cannot be written, leaves nothing', async () => {
  const before = readdirSync(folder)
  const stop = new AbortController()
  const emit = ({ type }: { type: string }) => (type === 'progress' ? stop.abort() : undefined)
  await assert.rejects(exportCheckpoint(jobOf('stopped.gguf'), { emit, signal: stop.signal, resume: false }), /abort/i)
  writeFileSync(join(folder, 'a-file'), '')
  const within = jobOf('a-file/model.gguf')
  const context = { emit: () => {}, signal: new AbortController().signal, resume: false }
  await assert.rejects(exportCheckpoint(within, context))
  rmSync(join(folder, 'a-file'))
  assert.deepEqual(readdirSync(folder), before)
})

const families: [FixtureName, string, object?][] = [
  ['llama3_rope', 'stock'],
  ['mistral_window', 'stock'],
  ['qwen2_bias_tied', 'stock'],
  ['qwen3_norm_headdim', 'stock'],
  ['gemma3_text', 'stock'],
  ['phi3_fused', 'stock'],
  ['secateur_ragged', 'deci'],
  ['secateur_ragged', 'padded', { layout: 'padded' }],
]
for (const [name, layout, settings] of families)
  test(`${name}, read back from its ${layout} file, computes the same`, async () => {
    const job = jobOf(`${name}-${layout}.gguf`, {
      checkpoint: fixtureModel(name),
      type: 'f32',
      proof: true,
      ...settings,
    })
    const context = { emit: () => {}, signal: new AbortController().signal, resume: false }
    const { export: written } = await exportCheckpoint(job, context)
    assert.equal(written!.layout, layout)
    assert.equal(written!.proof!.texts, 8)
    assert.ok(written!.proof!.worst < 2e-5, `${written!.proof!.worst}`)
  })

const bytes = { type: 'ByteLevel', add_prefix_space: false, use_regex: true }
const words = { ...bytes, use_regex: false }

const cut = (digits: string) => ({
  type: 'Split',
  behavior: 'Isolated',
  pattern: {
    Regex: `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
  },
})

function nameOf(steps: object[], more: object = {}): string {
  const json = checkTokenizerJson('tokenizer.json', {
    pre_tokenizer: { type: 'Sequence', pretokenizers: steps },
    model: { type: 'BPE', vocab: { a: 0 }, merges: [], ...more },
  })
  return preTokenizerName({ json, file: 'tokenizer.json' })
}

test('byte-level tokenizers get the name of how they cut words, or are refused by the field', () => {
  assert.equal(nameOf([bytes]), 'gpt-2')
  assert.equal(nameOf([{ type: 'Digits', individual_digits: true }, bytes]), 'smollm')
  assert.equal(nameOf([cut('\\p{N}{1,3}'), words], { ignore_merges: true }), 'llama-bpe')
  assert.equal(nameOf([cut('\\p{N}'), words]), 'qwen2')
  assert.throws(() => nameOf([cut('\\p{N}{1,2}'), words]), /pre_tokenizer: cannot be said in GGUF/)
  assert.throws(() => nameOf([{ ...bytes, add_prefix_space: true }]), /pre_tokenizer.add_prefix_space: cannot be said/)
})
