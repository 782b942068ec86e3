import assert from 'node:assert/strict'
import { cpSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { readAdapter } from '../../../engine/lora/read-peft.ts'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'
import { SecateurError } from '../../../engine/shared/errors.ts'
import { fixtureModel } from '../../fixtures/read.ts'
import { sharedCase } from '../../shared-cases.ts'
import { editable } from './editable.ts'
import { temporaryFolder } from './safetensors-bytes.ts'

const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n'

function says(open: () => unknown, message: RegExp): void {
  assert.throws(open, (error) => {
    assert(error instanceof SecateurError, String(error))
    assert.equal(error.kind, 'bad-file')
    assert.match(error.message, message)
    return true
  })
}

/** A folder with empty files of these names. */
function folderOf(context: TestContext, ...names: string[]): string {
  const folder = temporaryFolder(context)
  for (const name of names) {
    mkdirSync(join(folder, name, '..'), { recursive: true })
    writeFileSync(join(folder, name), name.endsWith('.gguf') ? 'GGUF' : '')
  }
  return folder
}

test('a folder that is no checkpoint says what it is, and what to give instead', (context) => {
  const cases: [string[], RegExp][] = [
    [
      ['adapter_config.json', 'adapter_model.safetensors'],
      /holds an adapter, not a checkpoint; give the folder of its/,
    ],
    [['model.Q4_K_M.gguf'], /holds the GGUF file model\.Q4_K_M\.gguf: give the file itself as the checkpoint/],
    [['consolidated.00.pth', 'params.json'], /holds consolidated\.00\.pth, weights in the layout of Meta or Mistral/],
    [['consolidated.safetensors', 'params.json'], /take the checkpoint in the layout of transformers/],
    [['pytorch_model.bin'], /holds pytorch_model\.bin, which can run code/],
    [['tf_model.h5'], /holds tf_model\.h5, which is not read: take the original checkpoint/],
    [['model.safetensors'], /holds weights, but no config\.json: fetch it/],
    [['run.json'], /is the folder of a run that has made no checkpoint/],
    [['run.json', 'output/config.json'], /is the folder of a run; the checkpoint that it made is in its output\//],
    [['tiny/config.json', 'README.md'], /holds no config\.json, but below it there is one: give its folder tiny\//],
    [['snapshots/4d7a/config.json', 'refs/main'], /give its folder snapshots\/4d7a\//],
    [['a/config.json', 'b/config.json'], /give one of its folders a\/, b\//],
    [['README.md'], /config\.json: does not exist/],
  ]
  for (const [names, message] of cases) says(() => openCheckpoint(folderOf(context, ...names)), message)
  says(
    () => openCheckpoint(join(folderOf(context, 'a.gguf'), 'a.gguf')),
    /a\.gguf: version: needs 4 bytes .* truncated/,
  )
})

test('a folder that is no adapter says what it is', (context) => {
  says(() => readAdapter(fixtureModel('llama_gqa')), /holds a checkpoint, not an adapter/)
  const run = folderOf(context, 'run.json', 'output/adapter_config.json')
  says(() => readAdapter(run), /is the folder of a run; the adapter that it made is in its output\//)
  says(() => readAdapter(folderOf(context)), /adapter_config\.json: does not exist/)
})

test('files that are not what their names say are known by their first bytes', (context) => {
  const folder = join(temporaryFolder(context), 'model')
  cpSync(fixtureModel('llama_gqa'), folder, { recursive: true })
  const weights = join(folder, 'model.safetensors')
  for (const [content, message] of [
    [pointer, /model\.safetensors: is a Git LFS pointer, not the file itself: run "git lfs pull"/],
    ['GGUF\u0003\0\0\0\u0010\0\0\0', /model\.safetensors: is a GGUF file/],
    ['<!DOCTYPE html><html>', /model\.safetensors: is a web page: its download failed/],
    ['PK\u0003\u0004\0\0\0\0\0\0\0\0', /model\.safetensors: is an archive/],
  ] as const) {
    writeFileSync(weights, content)
    says(() => openCheckpoint(folder), message)
  }
  writeFileSync(join(folder, 'config.json'), pointer)
  says(() => openCheckpoint(folder), /config\.json: is a Git LFS pointer/)
})

test('weights that are quantised are called that', (context) => {
  const { folder, tensors, save } = editable(context)
  const name = 'model.layers.0.self_attn.q_proj.weight'
  const tensor = tensors.get(name)!
  tensors.delete(name)
  tensors.set('model.layers.0.self_attn.q_proj.qweight', { ...tensor, name: name.replace(/weight$/, 'qweight') })
  save()
  says(
    () => openCheckpoint(folder),
    /the weights are quantised \(they hold .*q_proj\.qweight\).*take the original 16-bit/,
  )
  writeFileSync(join(folder, 'quantize_config.json'), '{"bits": 4}')
  renameSync(join(folder, 'model.safetensors'), join(folder, 'gptq_model-4bit-128g.safetensors'))
  says(() => openCheckpoint(folder), /the weights are quantised \(quantize_config\.json\)/)
  rmSync(join(folder, 'gptq_model-4bit-128g.safetensors'))
  writeFileSync(join(folder, 'consolidated.safetensors'), '')
  says(() => openCheckpoint(folder), /holds consolidated\.safetensors, weights in the layout of/)
})

const real = sharedCase('22-unclear-errors')
test('the folders that were reported say what they are', real.options, () => {
  says(() => openCheckpoint(real.path('old_gptq')), /the weights are quantised \(quantize_config\.json\)/)
  says(() => openCheckpoint(real.path('adapter')), /holds an adapter/)
  says(() => openCheckpoint(real.path('lfs')), /is a Git LFS pointer/)
  says(() => openCheckpoint(real.path('gguf')), /GGUF file/)
  says(
    () => openCheckpoint(real.path('.')),
    /holds no config\.json, but below it there is one: give one of its folders/,
  )
})
