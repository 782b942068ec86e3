import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type EngineEvent, finetuneSchema, logEntrySchema } from '../../../engine/contract/index.ts'
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
    'selection after step 40: 50.0 % of the heads and 25.0 % of the channels are removed, 50.0 % planned',
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
