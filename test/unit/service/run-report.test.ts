import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { evaluateSchema, type RunFile } from '../../../engine/contract/index.ts'
import { SecateurError } from '../../../engine/shared/errors.ts'
import { lockName } from '../../../engine/runs/run-lock.ts'
import { readRunFolder } from '../../../engine/runs/run-report.ts'

const folder = mkdtempSync(join(tmpdir(), 'secateur-report-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const run: RunFile = {
  version: 1,
  job: evaluateSchema.parse({ kind: 'evaluate', checkpoint: 'model', evaluation: {} }),
  started: '2026-01-01T00:00:00.000Z',
  software: { secateur: '0.1.0' },
  hardware: { processor: 'some', cores: 2, memoryBytes: 8e9 },
}
let made = 0

/** A run folder with the files that are given, in place of what a run would write. */
function folderWith(files: Record<string, string | object>): string {
  const path = join(folder, String(made++))
  mkdirSync(path)
  for (const [name, content] of Object.entries({ 'run.json': run, ...files }))
    writeFileSync(join(path, name), typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

const report = (path: string) => readRunFolder({ path }, { signal: new AbortController().signal, progress: () => {} })
const line = (step: number) => JSON.stringify({ step, loss: 1, learningRate: 1, gradientNorm: 1, tokens: 8 })

test('a line that a crash cut short does not count', async () => {
  const { counts, lastStep, state } = await report(
    folderWith({ 'metrics.jsonl': `${line(1)}\n${line(2)}\n${line(3).slice(0, 9)}` }),
  )
  assert.deepEqual([counts.metrics, lastStep, state], [2, 2, 'interrupted'])
})

test('a folder without a trace of work never started', async () => {
  assert.equal((await report(folderWith({}))).state, 'never-started')
})

test('two hundred thousand steps are counted', async () => {
  const path = folderWith({ 'metrics.jsonl': Array.from({ length: 2e5 }, (_, i) => `${line(i + 1)}\n`).join('') })
  const { counts, lastStep } = await report(path)
  assert.deepEqual([counts.metrics, lastStep], [2e5, 2e5])
})

test('lines that are none are told of, with their numbers', async () => {
  const path = folderWith({ 'metrics.jsonl': `${line(1)}\n\0\0\0\n{"step": "2"}\n${line(3)}\n` })
  const { counts, lastStep, warnings } = await report(path)
  assert.deepEqual([counts.metrics, lastStep], [4, 3])
  assert.deepEqual(warnings, [
    `${join(path, 'metrics.jsonl')}: lines 2, 3 are not what a run writes there, and left out; was the file changed, or is the disk damaged?`,
  ])
})

test('the lock of a process that is gone is no sign of a run', async () => {
  const lock = { host: 'elsewhere', pid: 1, taken: new Date().toISOString(), process: null }
  assert.equal((await report(folderWith({ [lockName]: lock }))).state, 'running')
  assert.equal((await report(folderWith({ [lockName]: 'no lock at all' }))).state, 'never-started')
})

for (const [name, files, field] of [
  ['no run.json that it understands', { 'run.json': { ...run, version: 9 } }, 'version'],
  ['a run.json of another program', { 'run.json': '["shopping"]' }, undefined],
  ['a result that is none', { 'result.json': { finished: 'now', outcome: { type: 'maybe' } } }, 'outcome.type'],
  ['metrics that are none', { 'metrics.jsonl': '{"step": "one"}\n' }, 'line 1'],
] as [string, Record<string, string | object>, string | undefined][])
  test(`one error names what is wrong: ${name}`, async () => {
    const path = folderWith(files)
    await assert.rejects(report(path), (error) => {
      assert.ok(error instanceof SecateurError && error.kind === 'bad-file', String(error))
      assert.ok(error.file!.startsWith(path))
      assert.equal(error.field, field)
      return true
    })
  })

test('files that are far too large are not read', async () => {
  const huge = folderWith({ 'metrics.jsonl': '', 'result.json': '' })
  truncateSync(join(huge, 'result.json'), 10e9)
  await assert.rejects(report(huge), /has 10000000000 bytes/)
  const endless = folderWith({ 'metrics.jsonl': '' })
  truncateSync(join(endless, 'metrics.jsonl'), 10e9)
  await assert.rejects(report(endless), /line 1: is over/)
})
