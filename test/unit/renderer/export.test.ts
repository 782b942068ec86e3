import assert from 'node:assert/strict'
import { test } from 'node:test'
import { engine } from '../../../electron/contract/index.ts'
import { exportCommand } from '../../../renderer/src/screens/export/command.ts'
import {
  draftOfExport,
  emptyExport,
  type ExportDraft,
  exportJobOf,
  firstFormat,
} from '../../../renderer/src/screens/export/export-draft.ts'
import { formats, layouts, proofText, types } from '../../../renderer/src/screens/export/export-words.ts'
import { settingsOf } from '../../../renderer/src/screens/new-run/form.ts'
import { href, parseRoute } from '../../../renderer/src/router/routes.ts'

const parsed = (changes: Partial<ExportDraft>, out = '/models/out') =>
  engine.exportSchema.parse(exportJobOf('/models/my llama', { ...emptyExport(), ...changes }, out))

test('every draft is a job of its format, and comes back from it', () => {
  for (const changes of [
    { type: 'q4_0', layout: 'padded', calibrate: '/texts/a.txt' },
    { type: 'f16', proof: false },
    { format: 'safetensors', dtype: 'bf16', shardSize: 2 },
    { format: 'onnx', dtype: 'f32' },
  ] as const) {
    const job = parsed(changes)
    assert.deepEqual(parsed(draftOfExport(job)), job)
  }
})

test('a format is asked for nothing that it has not, and a text only where weights are rounded', () => {
  const text = { calibrate: ' /texts/a.txt ' }
  const job = parsed({ type: 'f16', ...text })
  assert.ok(job.format === 'gguf' && job.calibrate === undefined)
  const quantised = parsed({ type: 'q8_0', ...text })
  assert.ok(quantised.format === 'gguf' && quantised.calibrate === '/texts/a.txt')
  assert.ok(!('shardSize' in exportJobOf('a', { ...emptyExport(), format: 'onnx', shardSize: 3 }, 'b')))
})

test('GGUF is offered first where llama.cpp loads it', () => {
  const answer = { program: 'llama.cpp' as const, why: '', fields: [] }
  assert.equal(firstFormat([{ ...answer, loads: 'yes' }]), 'gguf')
  assert.equal(firstFormat([{ ...answer, loads: 'no' }]), 'safetensors')
})

test('the command does what the job does, and leaves defaults out', () => {
  assert.equal(
    exportCommand(parsed({ type: 'q8_0', proof: false }), 'linux'),
    "npx secateur export '/models/my llama' --format gguf --type q8_0 --no-proof --out /models/out",
  )
  assert.equal(
    exportCommand(parsed({ format: 'safetensors', dtype: 'bf16', shardSize: 2 }, "/models/it's"), 'darwin'),
    "npx secateur export '/models/my llama' --format safetensors --dtype bf16 --shard-size 2 --out '/models/it'\\''s'",
  )
  const windows = engine.exportSchema.parse({
    ...parsed({ format: 'onnx' }),
    checkpoint: 'C:\\my models',
    out: 'D:\\out',
  })
  assert.equal(exportCommand(windows, 'win32'), 'npx secateur export "C:\\my models" --format onnx --out D:\\out')
})

test('every format, type and layout has its words', () => {
  assert.deepEqual(Object.keys(formats).sort(), [...engine.exportFormats].sort())
  assert.deepEqual(Object.keys(types).sort(), [...engine.ggufType.options].sort())
  assert.deepEqual(Object.keys(layouts).sort(), [...engine.ggufLayout.options].sort())
  const proof = { texts: 8, tokens: 512, worst: 0.01234, mean: 0.001 }
  assert.match(proofText(proof), /512 tokens in 8 texts differ .* at most 0\.0123 nats \(mean 0\.001\)/)
  assert.match(proofText({ ...proof, worst: 0, mean: 0 }), /exactly/)
})

test('an export has an address, and a multiple of channels is offered with what it is for', () => {
  assert.deepEqual(parseRoute(href('export', 3))?.id, 3)
  const setting = settingsOf('prune').find(({ key }) => key === 'channelMultiple')!
  assert.deepEqual(
    setting.offers.map(({ value }) => value),
    ['32', '256'],
  )
  assert.match(setting.sentence, /quantised export.*blocks/)
})
