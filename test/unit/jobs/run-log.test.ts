import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { attemptsFileSchema, type EngineEvent, finetuneSchema, logEntrySchema } from '../../../engine/contract/index.ts'
import { followed } from '../../../engine/runs/followed.ts'
import { runFiles } from '../../../engine/runs/run-files.ts'
import { inRunFolder } from '../../../engine/runs/run-folder.ts'
import { SecateurError } from '../../../engine/shared/errors.ts'

const out = mkdtempSync(join(tmpdir(), 'secateur-run-log-'))
after(() => rmSync(out, { recursive: true, force: true }))
const job = finetuneSchema.parse({ kind: 'finetune', checkpoint: 'model', data: ['text.txt'], out })

test('the log tells what was decided, from before the folder was there, and goes on where a run does', async () => {
  const told: EngineEvent[] = []
  const attempt = async (resume: boolean, says: EngineEvent[]) =>
    await followed(
      job,
      { resume, signal: new AbortController().signal, emit: (event) => void told.push(event) },
      async (context) => {
        context.emit({ type: 'warning', message: 'the batch is small' })
        return await inRunFolder(job, context, async () => {
          for (const event of says) context.emit(event)
          throw new SecateurError('interrupted', 'stopped after step 50')
        })
      },
    ).catch(() => {})
  const refused = [{ name: 'webgpu', reason: 'no graphics card' }]
  const started: EngineEvent = { type: 'started', job, backend: 'onnx', threads: 2, device: 'a processor', refused }
  const layer = {
    heads: { scores: [1, 2], kept: [1, 0] as (0 | 1)[] },
    channels: { scores: [1], kept: [0.75], count: 8 },
  }
  await attempt(false, [
    started,
    { type: 'pruned', snapshot: { step: 40, planned: 0.5, layers: [layer, layer] } },
    { type: 'saved', step: 50 },
  ])
  appendFileSync(join(out, runFiles.log), '{"time":1,"lev')
  await attempt(true, [])
  const lines = readFileSync(join(out, runFiles.log), 'utf8').trimEnd().split('\n')
  const attempts = [
    'the batch is small',
    'back end: onnx on a processor, 2 threads',
    'back end webgpu is not used: no graphics card',
    'selection after step 40: 50.0% of the heads and 25.0% of the channels are removed, 50.0% planned',
    'the state after step 50 is saved',
    'stopped after step 50',
    '{"time":1,"lev',
    'the batch is small',
    'stopped after step 50',
  ]
  const entries = lines.flatMap((text) => (text.endsWith('}') ? [logEntrySchema.parse(JSON.parse(text))] : []))
  assert.deepEqual(
    lines.map((text) => (text.endsWith('}') ? (JSON.parse(text) as { message: string }).message : text)),
    attempts,
  )
  assert.deepEqual(
    told.flatMap((event) => (event.type === 'logged' ? [event.line] : [])),
    entries,
  )
  assert.ok(entries.every(({ time }) => Math.abs(Date.now() - time) < 60_000))
})

test('a run that is resumed has taken as long as all attempts at it', async () => {
  const path = join(out, 'resumed')
  const attempt = (resume: boolean, failing: boolean) =>
    inRunFolder(
      { ...job, out: path },
      { resume, signal: new AbortController().signal, emit: () => {} },
      async (run) => {
        const started = performance.now()
        await setTimeout(60)
        run.save(1, new Map([['adapter.0.q.a', { shape: [1], data: Float32Array.of(1) }]]))
        if (failing) throw new Error('the disk is full')
        return { type: 'result', seconds: run.attempts.secondsSince(started) }
      },
    )
  await assert.rejects(attempt(false, true), /disk is full/)
  const second = await attempt(true, false)
  assert.ok(second.seconds! > 0.11, `${second.seconds} s`)
  const { attempts } = attemptsFileSchema.parse(JSON.parse(readFileSync(join(path, 'attempts.json'), 'utf8')))
  assert.equal(attempts.length, 2)
  assert.ok(attempts.every(({ seconds }) => seconds > 0.05 && seconds < second.seconds!))
})
