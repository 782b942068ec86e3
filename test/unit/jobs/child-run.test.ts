import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, test } from 'node:test'
import { jobSchema } from '../../../engine/contract/index.ts'
import { outOfMemoryKills } from '../../../engine/shared/memory-kills.ts'
import { runInChild } from '../../../engine/runs/child-run.ts'

const folder = mkdtempSync(join(tmpdir(), 'secateur-child-run-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const sample = resolve(import.meta.dirname, '../../../resources/sample')

test('a run of a sweep whose process is killed says why in the words of a single run', async () => {
  const job = jobSchema.parse({
    kind: 'prune',
    checkpoint: join(sample, 'model'),
    data: [join(sample, 'train.jsonl')],
    out: join(folder, 'run'),
    device: 'cpu',
    maxDocuments: 20,
    steps: 100_000,
    batchSize: 1,
    sequenceLength: 16,
  })
  const run = runInChild({ job, resume: false }, new AbortController().signal, ({ type }) => {
    if (type === 'started') execFileSync('pkill', ['-9', '-P', String(process.pid), '-f', 'engine/entries/run.ts'])
  })
  // Only Linux says whether memory had run out.
  const why =
    outOfMemoryKills() === null
      ? /^The engine was killed, most likely by the system because memory ran out\. Take a smaller batch size/
      : /^The engine was killed by a person or another program/
  await assert.rejects(run, { name: 'SecateurError', message: why })
})
