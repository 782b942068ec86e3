import assert from 'node:assert/strict'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { WebSocket } from 'ws'
import { z } from 'zod'
import { events, runDetailSchema, type RunState } from '../../electron/contract/index.ts'
import { HeadlessHost, sample } from '../../scripts/headless-host.ts'

const folder = mkdtempSync(join(tmpdir(), 'secateur-hostile-'))
const host = new HeadlessHost(folder)
after(() => host.remove())

const envelope = z.union([z.object({ problem: z.object({ message: z.string() }) }), z.object({ ok: z.unknown() })])
const frame = z.union([
  z.object({ t: z.literal('s'), i: z.string(), r: envelope }),
  z.object({
    t: z.literal('q'),
    m: z.literal('event'),
    a: z.tuple([z.object({ name: z.string(), payload: z.unknown() })]),
  }),
])

/** A page as the host sees it, without a browser. */
class Client {
  readonly socket: WebSocket
  readonly states: RunState[] = []
  readonly #waiting = new Map<string, (answer: z.infer<typeof envelope>) => void>()
  #calls = 0

  constructor(token = new URL(host.address).hash.replace('#token=', '')) {
    this.socket = new WebSocket(`${host.origin.replace('http', 'ws')}/socket`, { origin: host.origin })
    this.socket.once('open', () => this.socket.send(JSON.stringify({ token })))
    this.socket.on('error', () => {})
    this.socket.on('message', (data: Buffer) => {
      const message = frame.safeParse(JSON.parse(data.toString())).data
      if (message?.t === 's') this.#waiting.get(message.i)?.(message.r)
      if (message?.t !== 'q' || message.a[0].name !== 'run') return
      const { state } = events.run.parse(message.a[0].payload)
      if (this.states.at(-1) !== state) this.states.push(state)
    })
  }

  ready(): Promise<void> {
    return new Promise((resolve) => this.socket.once('message', () => resolve()))
  }

  async call(method: string, input?: unknown): Promise<unknown> {
    const id = String(++this.#calls)
    const answer = new Promise<z.infer<typeof envelope>>((resolve) => this.#waiting.set(id, resolve))
    this.socket.send(JSON.stringify({ t: 'q', i: id, m: 'call', a: [method, input] }))
    const got = await answer
    if ('problem' in got) throw new Error(got.problem.message)
    return got.ok
  }
}

test('a run goes on undisturbed while everything hostile is refused and logged', { timeout: 120_000 }, async () => {
  await host.start()
  const client = new Client()
  await client.ready()
  const training = {
    data: [join(sample, 'train.jsonl')],
    maxDocuments: 60,
    sequenceLength: 32,
    batchSize: 1,
    steps: 12,
    frequency: 3,
  }
  const job = { kind: 'prune', checkpoint: join(sample, 'model'), ...training }
  const { id } = runDetailSchema.pick({ id: true }).parse(await client.call('runs.create', { job }))

  await assert.rejects(client.call('library.import', { path: '/etc', mode: 'in-place' }), /outside the folders/)
  await assert.rejects(client.call('folders.list', { path: '/', showFiles: true }), /outside the folders/)
  await assert.rejects(client.call('runs.create', { job: { ...job, out: '/var/elsewhere' } }), /outside the folders/)
  await assert.rejects(client.call('constructor'), /no request/)
  await assert.rejects(client.call('runs.get', { id: 'x' }), /id/)
  for (let i = 0; i < 1000; i++) client.socket.send(i % 2 ? '{"t":"q"' : `{"t":"q","i":"${i}","m":"toString","a":[]}`)
  const wrong = new Client('wrong')
  assert.equal(await new Promise((resolve) => wrong.socket.once('close', resolve)), 4401)
  const large = new Client()
  await large.ready()
  large.socket.send('x'.repeat(3 << 20))
  assert.equal(await new Promise((resolve) => large.socket.once('close', resolve)), 1009)
  assert.equal((await fetch(`${host.origin}/%2e%2e%2fpackage.json`)).status, 403)

  for (let waited = 0; client.states.at(-1) !== 'done'; waited++) {
    assert.ok(waited < 1000 && client.states.at(-1) !== 'failed', `the run is ${client.states.at(-1)}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  const run = runDetailSchema.parse(await client.call('runs.get', { id }))
  assert.equal(run.state, 'done')
  assert.ok(run.metricNames.includes('loss'))
  assert.equal(host.log.filter((line) => line.includes('refused a malformed frame')).length, 1000)
  assert.ok(host.log.some((line) => line.includes('the token is wrong')))
  assert.ok(host.log.some((line) => line.includes('Max payload size exceeded')))
  assert.ok(host.log.some((line) => line.includes('refused with 403')))
})

test('a second start on the same data says where the first listens', { timeout: 60_000 }, async () => {
  await assert.rejects(new HeadlessHost(folder).start(), (error: Error) => {
    assert.match(error.message, /Secateur runs already with/)
    assert.ok(error.message.includes(host.address))
    return true
  })
})

test('a signal stops it with the run that is active saved, to be resumed later', { timeout: 120_000 }, async () => {
  const client = new Client()
  await client.ready()
  const training = {
    data: [join(sample, 'train.jsonl')],
    sequenceLength: 32,
    batchSize: 1,
    steps: 2000,
    saveEvery: 2000,
  }
  const job = { kind: 'prune', checkpoint: join(sample, 'model'), ...training }
  const { id } = runDetailSchema.pick({ id: true }).parse(await client.call('runs.create', { job }))
  const detail = async (of: Client) => runDetailSchema.parse(await of.call('runs.get', { id }))
  for (let waited = 0; ((await detail(client)).progress?.step ?? 0) < 2; waited++) {
    assert.ok(waited < 600, `the run is ${(await detail(client)).state}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  await host.stop('SIGTERM')
  await host.start()
  const again = new Client()
  await again.ready()
  const found = await detail(again)
  assert.ok(found.resumable, found.state)
  assert.ok((found.lastSavedStep ?? 0) >= 2)
  await again.call('runs.cancel', { id }).catch(() => {})
})
