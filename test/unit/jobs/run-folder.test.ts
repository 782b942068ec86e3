import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { finetuneSchema } from '../../../engine/contract/index.ts'
import { RunFolder } from '../../../engine/runs/run-folder.ts'
import { lockName } from '../../../engine/runs/run-lock.ts'

const folder = mkdtempSync(join(tmpdir(), 'secateur-run-folder-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const job = finetuneSchema.parse({ kind: 'finetune', checkpoint: 'model', data: ['text.txt'], out: folder })

function folderWith(name: string, content: string): string {
  const path = mkdtempSync(join(folder, 'run-'))
  writeFileSync(join(path, name), content)
  return path
}

test('a folder with nothing but the lock of a process that is gone takes a run', () => {
  RunFolder.create(folderWith(lockName, ''), job).close()
})

test('a folder with a file of something else is refused', () => {
  for (const name of ['result.json', 'holiday.jpg'])
    assert.throws(() => RunFolder.create(folderWith(name, '{}'), job), /holds something already/)
})

test('a run that an earlier version began is continued by the settings that it has now', () => {
  const path = mkdtempSync(join(folder, 'run-'))
  RunFolder.create(path, job).close()
  const file = join(path, 'run.json')
  const former = readFileSync(file, 'utf8')
    .replace('"batchSize"', '"rows"')
    .replace('"gradientCheckpointing"', '"activations"')
  assert.match(former, /"rows".*"activations"/s)
  writeFileSync(file, former)
  RunFolder.open(path, job).close()
  assert.throws(
    () => RunFolder.open(path, { ...job, batchSize: 9 }),
    /batchSize: the run in .* was started with 4, not 9/,
  )
})
