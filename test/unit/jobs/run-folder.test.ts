import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { finetuneSchema } from '../../../engine/contract/index.ts'
import { inRunFolder, RunFolder } from '../../../engine/runs/run-folder.ts'
import { isLocked, lockName, RunLock } from '../../../engine/runs/run-lock.ts'

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

test('what a kill before the first whole run.json leaves is started anew, also where it is to be resumed', async () => {
  const lock = { host: hostname(), pid: 2 ** 30, taken: new Date().toISOString(), process: '1' }
  const left: Record<string, string> = {
    [lockName]: JSON.stringify(lock),
    'run.json.999999.partial': '{"ver',
    'lock.json.999998.partial': '',
    'lock.json.999997.stale': '',
  }
  const cases = [[], [lockName], [lockName, 'run.json.999999.partial'], Object.keys(left)]
  for (const names of cases)
    for (const resume of [false, true]) {
      const out = mkdtempSync(join(folder, 'begun-'))
      for (const name of names) writeFileSync(join(out, name), left[name]!)
      const context = { resume, signal: new AbortController().signal, emit: () => {} }
      await inRunFolder({ ...job, out }, context, async ({ path }) => {
        assert.deepEqual(readdirSync(path).sort(), [lockName, 'run.json'])
        return { type: 'result' }
      })
      assert.deepEqual(readdirSync(out).sort(), ['result.json', 'run.json'])
    }
  assert.throws(() => RunFolder.create(folderWith('holiday.jpg.1.partial', ''), job), /holds something already/)
})

test('a lock is held as long as its process is the one that took it, whatever the clock says', () => {
  const path = mkdtempSync(join(folder, 'lock-'))
  const mine = RunLock.take(path)
  const file = join(path, lockName)
  const lock = JSON.parse(readFileSync(file, 'utf8')) as { taken: string; process: string | null }
  const write = (changes: object) => writeFileSync(file, JSON.stringify({ ...lock, ...changes }))
  write({ taken: '2001-01-01T00:00:00.000Z' })
  // Only Linux says when a process started.
  assert.equal(isLocked(path), lock.process !== null)
  if (lock.process !== null) assert.throws(() => RunLock.take(path), /is writing the run in/)
  write({ process: '1' })
  assert.equal(isLocked(path), lock.process === null)
  write({ process: null, taken: '2001-01-01T00:00:00.000Z' })
  assert.equal(isLocked(path), false)
  mine.release()
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
