import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type EngineEvent, jobSchema, selfDataFileSchema } from '../../../engine/contract/index.ts'
import { runJob } from '../../../engine/jobs/index.ts'
import { SecateurError } from '../../../engine/shared/errors.ts'
import { sample } from '../../e2e/secateur.ts'

const folder = mkdtempSync(join(tmpdir(), 'secateur-self-data-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const at = (...parts: string[]) => join(folder, ...parts)

const texts = Array.from({ length: 30 }, (_, row) => `Nesoma number ${row} thanked Widen because of a present.`)
writeFileSync(at('text.txt'), texts.join('\n'))

const job = {
  kind: 'finetune',
  checkpoint: sample('model'),
  data: [at('text.txt')],
  device: 'onnx',
  threads: 1,
  steps: 1,
  sequenceLength: 32,
  batchSize: 2,
  validation: 18,
  selfData: 24,
  selfDataTokens: 6,
  selfDataPrompt: 4,
}

/** Runs a job with a cache folder of its own, stopping it once so many rows are written. */
async function run(
  name: string,
  {
    cache = name,
    stopAt = Infinity,
    resume = false,
    ...other
  }: Record<string, unknown> & { cache?: string; stopAt?: number; resume?: boolean } = {},
) {
  process.env['XDG_CACHE_HOME'] = at(`cache-${cache}`)
  const controller = new AbortController()
  const events: EngineEvent[] = []
  const emit = (event: EngineEvent) => {
    events.push(event)
    if (event.type === 'progress' && event.stage === 'writing self-data' && event.done >= stopAt)
      controller.abort(new SecateurError('interrupted', 'stopped'))
  }
  const given = jobSchema.parse({ ...job, out: at(name), ...other })
  const result = await runJob(given, { emit, signal: controller.signal, resume }).catch((error: unknown) => {
    if (!(error instanceof SecateurError) || error.kind !== 'interrupted') throw error
    return null
  })
  const written = existsSync(at(name, 'self-data.jsonl')) ? readFileSync(at(name, 'self-data.jsonl'), 'utf8') : ''
  const done = events.flatMap((event) =>
    event.type === 'progress' && event.stage === 'writing self-data' ? [event.done] : [],
  )
  const said = events.flatMap((event) => (event.type === 'log' ? [event.message] : []))
  const warnings = events.flatMap((event) => (event.type === 'warning' ? [event.message] : []))
  return { result, written, done, said, warnings }
}

test('the dense model writes rows from prompts of the data that are trained on; a stopped run ends with the same', async () => {
  const whole = await run('whole')
  assert.ok(whole.result)
  const rows = whole.written
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { text: string })
  assert.equal(rows.length, 24)
  // 12 rows are not held out, and each of them is continued twice, differently.
  const beginnings = rows.map(({ text }) => /^Nesoma number \d/.exec(text)?.[0])
  assert.ok(
    rows.every(({ text }) => text.startsWith('Nesoma')),
    JSON.stringify(beginnings),
  )
  assert.ok(new Set(rows.map(({ text }) => text)).size > 12)
  const facts = selfDataFileSchema.parse(JSON.parse(readFileSync(at('whole/self-data.json'), 'utf8')))
  assert.equal(facts.rows, 24)
  assert.ok(facts.sha256)

  const stopped = await run('stopped', { stopAt: 18 })
  assert.equal(stopped.result, null)
  assert.equal(stopped.written.split('\n').length - 1, 16)
  // A line that a crash cut short goes.
  writeFileSync(at('stopped/self-data.jsonl'), `${stopped.written}{"text":"Nes`)
  const resumed = await run('stopped', { resume: true })
  assert.ok(resumed.result)
  assert.equal(resumed.written, whole.written)
  assert.equal(resumed.done[0], 16)

  // Another run takes what is in the cache; one whose cache was damaged writes anew.
  const again = await run('again', { cache: 'whole' })
  assert.deepEqual([again.written, again.done], [whole.written, []])
  assert.ok(again.said.some((message) => message.includes('taken from there')))
  writeFileSync(join(at('cache-whole/secateur/self-data'), facts.key, 'self-data.jsonl'), '{"text":"forged"}\n')
  const anew = await run('anew', { cache: 'whole' })
  assert.equal(anew.written, whole.written)
  assert.ok(anew.done.length > 0)
})

test('a run whose cache cannot be written goes on with its own rows, and says so', async () => {
  writeFileSync(at('cache-none'), 'no folder')
  const { result, written, warnings } = await run('none')
  assert.ok(result)
  assert.equal(written.trimEnd().split('\n').length, 24)
  assert.match(
    warnings.join('\n'),
    /rows that the dense model wrote cannot be kept for other runs: .*cache-none.*goes on/,
  )
})

test('answers of the dense model are trained on beside those of the data, and greedy ones are never written twice', async () => {
  const questions = [1, 2, 3].map((row) => ({ instruction: `Name thing ${row}.`, output: 'A fork.' }))
  writeFileSync(at('questions.jsonl'), questions.map((row) => JSON.stringify(row)).join('\n'))
  const asked = {
    data: [at('questions.jsonl')],
    validation: undefined,
    selfDataTemperature: 0,
    selfDataUse: 'beside',
    packing: 'pad',
    sequenceLength: 64,
  }
  await assert.rejects(run('twice', { ...asked, selfData: 4 }), /selfData: 4 rows are wanted of 3 prompts/)
  const { result, written } = await run('greedy', { ...asked, selfData: 3 })
  assert.ok(result)
  const rows = written
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, string>)
  assert.deepEqual(
    rows.map(({ instruction }) => instruction).toSorted(),
    questions.map(({ instruction }) => instruction),
  )
})
