import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type EngineEvent, jobSchema } from '../../../engine/contract/index.ts'
import { runJob } from '../../../engine/jobs/index.ts'
import { sample } from '../../e2e/secateur.ts'

const folder = mkdtempSync(join(tmpdir(), 'secateur-teacher-cache-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const at = (...parts: string[]) => join(folder, ...parts)
process.env['XDG_CACHE_HOME'] = at('cache')

writeFileSync(at('text.txt'), 'Nesoma thanked Widen because of a present that was a fork.\n'.repeat(12))

const run = async (name: string, other: object = {}, warnings: string[] = []) => {
  const job = jobSchema.parse({
    kind: 'finetune',
    checkpoint: sample('model'),
    data: [at('text.txt')],
    device: 'onnx',
    threads: 1,
    sequenceLength: 32,
    batchSize: 2,
    epochs: 3,
    distil: 0.8,
    distilCache: 6,
    out: at(name),
    ...other,
  })
  const emit = (event: EngineEvent) => void (event.type === 'warning' && warnings.push(event.message))
  await runJob(job, { emit, signal: new AbortController().signal, resume: false })
  const lines = readFileSync(at(name, 'metrics.jsonl'), 'utf8').trimEnd().split('\n')
  return lines.map((line) => (JSON.parse(line) as { loss: number }).loss)
}

/** Sizes of the files of what teachers find likeliest. */
const kept = () => {
  const place = at('cache/secateur/teachers')
  return readdirSync(place).flatMap((teacher) =>
    readdirSync(join(place, teacher)).map((file) => statSync(join(place, teacher, file)).size),
  )
}

test('a sequence that comes again needs no teacher, in later epochs and in another run', async () => {
  await run('short', { epochs: 1 })
  const [size] = kept()
  assert.ok(size! > 0)
  // Packed sequences are the same in all epochs: none is new in three of them.
  const losses = await run('first')
  assert.deepEqual(kept(), [size])
  assert.deepEqual(await run('second'), losses)
  assert.deepEqual(kept(), [size])
  // Another number of tokens, or another temperature, is another cache.
  await run('hotter', { distilTemperature: 2, steps: 1 })
  assert.equal(kept().length, 2)
})

test('a run whose cache cannot be written learns the same, and says once that nothing is kept', async () => {
  const losses = await run('kept')
  process.env['XDG_CACHE_HOME'] = at('text.txt')
  const warnings: string[] = []
  try {
    assert.deepEqual(await run('not-kept', {}, warnings), losses)
  } finally {
    process.env['XDG_CACHE_HOME'] = at('cache')
  }
  const told = warnings.filter((message) => message.startsWith('What the teacher finds likeliest cannot be kept'))
  assert.equal(told.length, 1)
  assert.match(told[0]!, /text\.txt.*The run goes on/)
})

test('what means nothing beside a cache is refused by its name', async () => {
  await assert.rejects(run('alone', { distil: 0 }), /distilCache: is of a teacher, and the share of its part/)
  await assert.rejects(run('both', { distilHidden: 1 }), /distilHidden: needs the hidden states of the teacher/)
  await assert.rejects(run('many', { distilCache: 3000 }), /distilCache: 3000 tokens are more than the 2048/)
  await assert.rejects(run('unheard', { distil: 0, distilCache: 0, distilHidden: 1 }), /distilHidden: is of a teacher/)
})

test('hidden states pull the model towards its teacher', async () => {
  const pulled = await run('pulled', { distilCache: 0, distilHidden: 1, learningRate: 1e-2 })
  assert.ok(pulled.every(Number.isFinite))
})
