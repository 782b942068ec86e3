import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { exportSchema } from '../../../engine/contract/export.ts'
import { estimateAnyJob } from '../../../engine/estimate/any-job.ts'
import { checkPlace } from '../../../engine/export/place.ts'
import { exportCheckpoint } from '../../../engine/jobs/export.ts'
import { fixtureModel } from '../../fixtures/read.ts'

const folder = mkdtempSync(join(tmpdir(), 'secateur-place-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const jobOf = (
  format: string,
  name: string,
  settings: object = {},
  fixture: Parameters<typeof fixtureModel>[0] = 'llama_gqa',
) =>
  exportSchema.parse({
    kind: 'export',
    format,
    checkpoint: fixtureModel(fixture),
    out: join(folder, name),
    ...settings,
  })
const control = { signal: new AbortController().signal, progress: () => {} }

test('a place where nothing can be put is refused by name, before anything is computed', async () => {
  writeFileSync(join(folder, 'there.gguf'), '')
  mkdirSync(join(folder, 'full'))
  writeFileSync(join(folder, 'full/a'), '')
  checkPlace(jobOf('gguf', 'new/folder/model.gguf'))
  checkPlace(jobOf('onnx', 'new'))
  assert.throws(() => checkPlace(jobOf('gguf', 'there.gguf')), /there\.gguf: already exists/)
  assert.throws(
    () => checkPlace(jobOf('gguf', 'there.gguf/model.gguf')),
    /model\.gguf: cannot be made: .*there\.gguf is a file/,
  )
  assert.throws(() => checkPlace(jobOf('onnx', 'full')), /full: already exists and is not empty/)
  assert.throws(() => checkPlace(jobOf('safetensors', 'there.gguf')), /there\.gguf: is a file/)
  const events: string[] = []
  const context = {
    emit: ({ type }: { type: string }) => void events.push(type),
    signal: control.signal,
    resume: false,
  }
  await assert.rejects(exportCheckpoint(jobOf('gguf', 'there.gguf'), context), /already exists/)
  assert.deepEqual(events, [])
  await assert.rejects(estimateAnyJob({ job: jobOf('gguf', 'there.gguf') }, control), /already exists/)
  assert.ok(!existsSync(join(folder, 'new')))
})

test('an estimate has the size of every type and layout', async () => {
  const ragged = await estimateAnyJob({ job: jobOf('gguf', 'a.gguf', { type: 'q8_0' }, 'secateur_ragged') }, control)
  const { layouts, types } = ragged.export!
  assert.deepEqual(layouts.map(({ layout }) => layout).sort(), ['deci', 'padded'])
  assert.equal(layouts[0]!.bytes, ragged.diskBytes)
  assert.equal(types['q8_0'], ragged.diskBytes)
  assert.ok(types['f32']! > types['f16']! && types['f16'] === types['bf16'])
  const padded = jobOf('gguf', 'a.gguf', { type: 'q8_0', layout: 'padded' }, 'secateur_ragged')
  assert.equal((await estimateAnyJob({ job: padded }, control)).export!.types['q8_0'], layouts[1]!.bytes)
  const folders = await estimateAnyJob({ job: jobOf('safetensors', 'b', { dtype: 'f32' }) }, control)
  assert.deepEqual(folders.export!.layouts, [])
  assert.equal(folders.export!.types['f32'], folders.diskBytes)
  assert.equal(folders.export!.types['bf16'], folders.diskBytes / 2)
})
