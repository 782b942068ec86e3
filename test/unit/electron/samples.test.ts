import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openServices } from '../../../electron/services/index.ts'
import type { Answer } from '../../../electron/contract/index.ts'
import { root, sample, serviceOptions, TestApp } from './services.ts'

let app: TestApp
before(async () => void (app = await TestApp.open()))
after(() => app.remove())

test('the sample of images comes with its checkpoint and its images, once however often it is asked for', async () => {
  const { checkpoint, datasets } = await app.ask('samples.import', { sample: 'images' })
  assert.equal(checkpoint.name, 'Sample of images')
  assert.equal(checkpoint.path, join(root, 'resources/sample-vit/model'))
  assert.deepEqual(
    datasets.map(({ name, kind, rows }) => ({ name, kind, rows })),
    [{ name: 'Sample images', kind: 'images', rows: 1500 }],
  )
  const again = await app.ask('samples.import', { sample: 'images' })
  assert.equal(again.checkpoint.id, checkpoint.id)
  assert.deepEqual(
    again.datasets.map(({ id }) => id),
    datasets.map(({ id }) => id),
  )
})

test('the sample of text comes with what it trains and is scored on', async () => {
  const { checkpoint, datasets } = await app.ask('samples.import', { sample: 'text' })
  assert.equal(checkpoint.path, join(sample, 'model'))
  assert.equal(datasets[0]!.kind, 'text')
  assert.deepEqual(
    datasets.flatMap(({ task }) => task ?? []),
    ['arc_easy', 'arc_challenge', 'boolq', 'hellaswag', 'openbookqa', 'piqa', 'winogrande'],
  )
})

test('of an app that may lie elsewhere at its next start, a sample is copied to where it stays', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'secateur-samples-'))
  const options = serviceOptions(folder)
  const services = await openServices({ ...options, samples: { ...options.samples, mayMove: true } })
  try {
    for (const _ of [1, 2]) {
      const answer = await services.call('samples.import', { sample: 'text' })
      assert.ok('ok' in answer, JSON.stringify(answer))
      const { checkpoint, datasets } = answer.ok as Answer<'samples.import'>
      assert.equal(checkpoint.path, join(folder, 'samples/text/model'))
      assert.ok(datasets.every(({ path }) => path.startsWith(join(folder, 'samples/text')) && existsSync(path)))
    }
  } finally {
    await services.close()
    rmSync(folder, { recursive: true, force: true })
  }
})
