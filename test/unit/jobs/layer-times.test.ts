import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { layerTimes, layerTimesSchema, timesForBudget } from '../../../engine/pruning/budget/layer-times.ts'
import { pruneSchema } from '../../../engine/contract/index.ts'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'
import { fixtureModel } from '../../fixtures/read.ts'
import { visionModel } from '../../fixtures/vision.ts'

const cache = mkdtempSync(join(tmpdir(), 'secateur-times-'))
const before = process.env['XDG_CACHE_HOME']
process.env['XDG_CACHE_HOME'] = cache
after(() => {
  rmSync(cache, { recursive: true, force: true })
  if (before === undefined) delete process.env['XDG_CACHE_HOME']
  else process.env['XDG_CACHE_HOME'] = before
})

const jobWith = (settings: object) =>
  pruneSchema.parse({
    kind: 'prune',
    checkpoint: 'model',
    out: 'run',
    data: ['t'],
    device: 'onnx',
    threads: 1,
    speedPrompt: 4,
    speedTokens: 2,
    ...settings,
  })
const control = (progress: (done: number, total: number) => void = () => {}) => ({
  signal: new AbortController().signal,
  progress,
  seconds: 0,
})

test('layers are timed once on a device, and what is known is not measured again', async () => {
  using checkpoint = openCheckpoint(fixtureModel('llama_gqa'))
  const seen: string[] = []
  const times = await layerTimes(
    jobWith({}),
    checkpoint,
    control((done, total) => seen.push(`${done}/${total}`)),
  )
  assert.deepEqual(seen, ['1/6', '2/6', '3/6', '4/6', '5/6', '6/6'])
  for (const part of [times.prompt, times.generation]) {
    assert.deepEqual(
      part.heads.map(({ groups }) => groups),
      [2, 1],
    )
    assert.deepEqual(
      part.channels.map(({ groups }) => groups),
      [48, 36, 24, 12],
    )
    assert.ok(part.fixed + part.layer > 0)
  }
  const again = (settings: object) =>
    layerTimes(
      jobWith(settings),
      checkpoint,
      control(() => assert.fail('measured again')),
    )
  assert.deepEqual(await again({}), times)
  // Another length is another measurement.
  await assert.rejects(again({ speedPrompt: 5 }), /measured again/)
  const file = join(cache, 'secateur/layer-times.json')
  const [known] = Object.values(JSON.parse(readFileSync(file, 'utf8')) as object)
  assert.deepEqual(layerTimesSchema.parse(known), times)
  // A cache that is damaged is made anew.
  writeFileSync(file, '{"a": {"prompt": 3}}')
  await assert.rejects(again({}), /measured again/)
})

test('only budgets of time are timed, and a stop is heard', async () => {
  using checkpoint = openCheckpoint(fixtureModel('llama_gqa'))
  assert.equal(await timesForBudget(jobWith({ budget: 'parameters=0.7' }), checkpoint, control()), null)
  const stopped = { ...control(), signal: AbortSignal.abort() }
  await assert.rejects(timesForBudget(jobWith({ budget: 'prompt=1.5x', speedPrompt: 6 }), checkpoint, stopped), {
    kind: 'interrupted',
  })
  await assert.rejects(layerTimes(jobWith({ speedPrompt: 100_000 }), checkpoint, control()), { field: 'speedPrompt' })
  using images = openCheckpoint(visionModel('vit_hf'))
  await assert.rejects(layerTimes(jobWith({}), images, control()), /say parameters or memory/)
})
