import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { before, test, type TestContext } from 'node:test'
import { openGguf } from '../../../engine/checkpoint/gguf/open.ts'
import { type Exported, exportSchema } from '../../../engine/contract/index.ts'
import { exportCheckpoint } from '../../../engine/jobs/export.ts'
import { fixtureModel } from '../../fixtures/read.ts'
import { temporaryFolder } from '../checkpoint/safetensors-bytes.ts'
import { startBackend } from '../models/shared.ts'

before(startBackend)

const sample = join(import.meta.dirname, '../../../resources/sample/model')
const quiet = { emit: () => {}, signal: new AbortController().signal, resume: false }

async function exported(checkpoint: string, out: string, settings: object): Promise<Exported> {
  const job = exportSchema.parse({ kind: 'export', checkpoint, out, device: 'onnx', threads: 1, ...settings })
  return (await exportCheckpoint(job, quiet)).export!
}

const key = (name: string) => `tokenizer.ggml.${name}`

/** What a file says of its tokenizer. */
function tokenizerIn(file: string): unknown[] {
  const { keys, files } = openGguf(file)
  for (const each of files) each.close()
  return [
    ...['model', 'pre'].map((name) => keys.text(key(name))),
    ...['tokens', 'merges'].map((name) => keys.texts(key(name))),
    // Tokenizers of bytes know every text: which token would stand for what is unknown is not kept.
    ...['bos', 'eos', 'padding'].map((name) => keys.integer(key(`${name}_token_id`))),
    ...['bos', 'eos'].map((name) => keys.flag(key(`add_${name}_token`))),
    keys.numbers(key('token_type')),
    keys.text('tokenizer.chat_template'),
  ]
}

async function gguf(context: TestContext, checkpoint: string, type: string): Promise<{ folder: string; file: string }> {
  const folder = temporaryFolder(context)
  const file = join(folder, 'source.gguf')
  await exported(checkpoint, file, { format: 'gguf', type, proof: false })
  return { folder, file }
}

test('a GGUF file is quantised to another one, with its tokenizer', async (context) => {
  const { folder, file } = await gguf(context, sample, 'f16')
  const out = join(folder, 'small.gguf')
  const { type, bitsPerWeight, proof } = await exported(file, out, { format: 'gguf', type: 'q8_0' })
  assert.deepEqual([type, bitsPerWeight < 9], ['q8_0', true])
  assert.ok(proof!.mean > 0 && proof!.mean < 0.05, JSON.stringify(proof))
  const [one, other] = [file, out].map(tokenizerIn)
  for (const [index, value] of one!.entries()) assert.deepEqual(other![index], value, `${index}`)
})

test('a quantised GGUF file is written as safetensors and as ONNX, and computes the same', async (context) => {
  const { folder, file } = await gguf(context, fixtureModel('llama_gqa'), 'q8_0')
  for (const format of ['safetensors', 'onnx']) {
    const out = join(folder, format)
    const { type, proof } = await exported(file, out, { format })
    assert.equal(type, 'float32')
    assert.ok(proof!.worst < 1e-4, JSON.stringify(proof))
    assert.ok(readdirSync(out).includes('config.json') && readdirSync(out).includes('README.md'))
  }
})
