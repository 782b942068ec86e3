import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { toFloat32 } from '../../../engine/checkpoint/dtype.ts'
import { hashFolder } from '../../../engine/checkpoint/hash.ts'
import type { EngineEvent } from '../../../engine/contract/index.ts'
import { importCheckpoint } from '../../../engine/jobs/import.ts'
import { inspectFolder } from '../../../engine/jobs/inspect-folder.ts'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'
import { openTokenizer } from '../../../engine/models/model-tokenizer.ts'
import { fixtureModel } from '../../fixtures/read.ts'
import { ggufBytes, type Key, writeGguf } from '../checkpoint/gguf/bytes.ts'
import { ggufParts } from '../models/gguf-file.ts'

const tokens = Array.from(
  { length: 48 },
  (_, id) => ['<unk>', '<s>', '</s>', '\u2581', 'a', '\u2581a'][id] ?? `[PAD${id}]`,
)
const tokenizer: Key[] = [
  ['tokenizer.ggml.model', 'string', 'llama'],
  ['tokenizer.ggml.tokens', ['string'], tokens],
  ['tokenizer.ggml.token_type', ['int32'], tokens.map((_, id) => [2, 3, 3, 1, 1, 1][id] ?? 5)],
  ['tokenizer.ggml.scores', ['float32'], tokens.map((_, id) => -id)],
  ['tokenizer.chat_template', 'string', "{{ messages[0]['content'] }}"],
]

test('a GGUF file is imported as a folder with config, weights and tokenizer', async (context) => {
  using folder = openCheckpoint(fixtureModel('llama_gqa'))
  const { keys, tensors } = ggufParts(folder)
  const file = writeGguf(context, ggufBytes({ keys: [...keys, ...tokenizer], tensors }))
  const out = join(dirname(file), 'imported')
  const events: EngineEvent[] = []
  const settings = { file, out, outputDtype: 'same' } as const
  const result = await importCheckpoint(settings, new AbortController().signal, (event) => events.push(event))
  assert.equal(result.checkpoint, out)
  assert.ok(events.some(({ type }) => type === 'estimate'))
  assert.ok(events.some((event) => event.type === 'progress' && event.done === event.total))

  using written = openCheckpoint(out)
  for (const name of folder.tensors.keys())
    assert.deepEqual(toFloat32(written.read(name)), toFloat32(folder.read(name)), name)
  const config = JSON.parse(readFileSync(join(out, 'tokenizer_config.json'), 'utf8')) as Record<string, unknown>
  assert.deepEqual([config['bos_token'], config['eos_token'], config['unk_token']], ['<s>', '</s>', '<unk>'])
  const [own, imported] = [await openTokenizer({ ...folder, folder: file }), await openTokenizer(written)]
  assert.deepEqual(own.encode('a a'), [1, 5, 5])
  assert.deepEqual(imported.encode('a a'), [1, 5, 5])
  assert.match(
    readFileSync(join(out, 'README.md'), 'utf8'),
    /, from GGUF$[^]*as "model\.gguf" holds it, its weights in float32/m,
  )
  assert.equal(imported.chat([{ role: 'user', content: 'hi' }]), 'hi')

  await assert.rejects(
    importCheckpoint(settings, new AbortController().signal, () => {}),
    /already exists and is not empty/,
  )
  await assert.rejects(
    importCheckpoint({ ...settings, file: out, out: `${out}-2` }, new AbortController().signal, () => {}),
    { message: /is a checkpoint in safetensors already/ },
  )
  const stopped = importCheckpoint({ ...settings, out: `${out}-3` }, AbortSignal.abort(), () => {})
  await assert.rejects(stopped, { name: 'AbortError' })
  assert.equal(existsSync(`${out}-3`), false)
})

test('a GGUF file is inspected and hashed as a checkpoint', async (context) => {
  using folder = openCheckpoint(fixtureModel('llama_gqa'))
  const { keys, tensors } = ggufParts(folder)
  const bytes = ggufBytes({ keys: [...keys, ...tokenizer], tensors })
  const file = writeGguf(context, bytes)
  writeFileSync(join(dirname(file), 'other.txt'), '')
  const found = await inspectFolder({ checkpoint: file })
  assert.ok(found.kind === 'checkpoint')
  const { format, quantisation, family, architecture } = found
  assert.deepEqual(
    { format, quantisation, family, architecture },
    { format: 'gguf', quantisation: null, family: 'llama', architecture: 'LlamaForCausalLM' },
  )
  assert.deepEqual(found.tokenizer, { kind: 'gguf', vocabulary: 48, chatTemplate: true })
  assert.deepEqual(
    found.files.map(({ name, bytes: size }) => [name, size]),
    [['model.gguf', bytes.length]],
  )

  const control = { signal: new AbortController().signal, progress: () => {} }
  const { hash, bytes: hashed, files } = await hashFolder({ folder: file }, control)
  assert.deepEqual({ hashed, files }, { hashed: bytes.length, files: 1 })
  const elsewhere = join(dirname(file), 'copy')
  mkdirSync(elsewhere)
  writeFileSync(join(elsewhere, 'model.gguf'), bytes)
  assert.equal((await hashFolder({ folder: join(elsewhere, 'model.gguf') }, control)).hash, hash)
})
