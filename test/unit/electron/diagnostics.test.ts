import assert from 'node:assert/strict'
import { homedir, hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { RefusedRequests } from '../../../electron/host/refused-requests.ts'
import { sample, TestApp } from './services.ts'

test('diagnostics say what the app and the computer are, and nothing of what the user works on', async () => {
  const app = await TestApp.open()
  try {
    const { id } = await app.ask('runs.create', {
      name: 'Secret project',
      job: {
        kind: 'prune',
        checkpoint: join(sample, 'model'),
        data: [join(sample, 'train.jsonl')],
        maxDocuments: 4,
        steps: 2,
        batchSize: 1,
        sequenceLength: 8,
        sampleEvery: 1,
        samplePrompts: ['Once upon a secret'],
        sampleTokens: 1,
        threads: 1,
        device: 'onnx',
      },
    })
    await app.until(id, ({ state }) => state === 'done')
    const text = await app.ask('app.diagnostics')
    const { secateur, devices, database, latestRuns } = JSON.parse(text)
    assert.match(secateur, /^\d+\.\d+/)
    assert.equal(devices.backends.length > 0, true)
    assert.deepEqual(database.runs, [{ kind: 'prune', state: 'done', runs: 1 }])
    assert.equal(latestRuns[0].settings.sequenceLength, 8)
    assert.equal(latestRuns[0].last_saved_step, 2)
    for (const secret of ['Secret', 'secret', 'Once', 'train.jsonl', app.dataFolder, sample, homedir(), tmpdir()])
      assert.ok(!text.includes(secret), `it says ${secret}`)
    if (hostname().length > 4) assert.ok(!text.includes(hostname()), 'it says the name of the computer')
    assert.equal(await app.ask('app.network'), null)
  } finally {
    await app.remove()
  }
})

test('of requests that were refused the number is kept, and of the last one scheme and host', () => {
  const refused = new RefusedRequests()
  assert.deepEqual(refused.soFar, { count: 0, last: null })
  refused.add('https://example.org/path?name=me')
  assert.deepEqual(refused.soFar, { count: 1, last: 'https://example.org' })
})
