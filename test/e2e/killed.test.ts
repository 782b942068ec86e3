import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import Database from 'better-sqlite3'
import type { Answer, AppEvent, Method, Problem, Request } from '../../electron/contract/index.ts'
import { databaseName } from '../../electron/database/open.ts'
import { sample } from '../unit/electron/services.ts'

type Message = { ready: true } | { event: AppEvent } | { id: number; answer: { ok: unknown } | { problem: Problem } }

/** The app in a process of its own. */
class AppProcess {
  readonly #child: ChildProcess
  readonly #answers = new Map<number, (answer: { ok: unknown } | { problem: Problem }) => void>()
  #last = 0

  private constructor(child: ChildProcess, hear: (event: AppEvent) => void) {
    this.#child = child
    child.on('message', (message: Message) => {
      if ('event' in message) hear(message.event)
      else if ('id' in message) this.#answers.get(message.id)?.(message.answer)
    })
  }

  static async start(dataFolder: string, hear: (event: AppEvent) => void): Promise<AppProcess> {
    const child = fork(join(import.meta.dirname, '../unit/electron/app-process.ts'), [dataFolder], {
      serialization: 'advanced',
    })
    const app = new AppProcess(child, hear)
    await once(child, 'message')
    return app
  }

  async ask<M extends Method>(method: M, input: Request<M>): Promise<Answer<M>> {
    const id = ++this.#last
    const answer = await new Promise<{ ok: unknown } | { problem: Problem }>((resolve) => {
      this.#answers.set(id, resolve)
      this.#child.send({ id, method, input })
    })
    if ('problem' in answer) throw new Error(answer.problem.message)
    return answer.ok as Answer<M>
  }

  /** Kills the engine's process of the run. */
  killEngine(): void {
    execFileSync('pkill', ['-9', '-P', String(this.#child.pid), '-f', 'engine/entries/run.ts'])
  }

  async kill(): Promise<void> {
    const ended = once(this.#child, 'close')
    this.#child.kill('SIGKILL')
    await ended
  }
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))
const oneTo = (last: number) => Array.from({ length: last }, (_, at) => at + 1)

test('engine and app are killed at random moments of a run, 20 times: nothing that was reported is lost', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'secateur-killed-'))
  /** Steps that the app has told of, less those that it took back to repeat them. */
  const reported = new Set<number>()
  const hear = ({ name, payload }: AppEvent) => {
    if (name === 'metrics') for (const { steps } of payload.points) for (const step of steps) reported.add(step)
    if (name === 'rewound') for (const step of reported) if (step > payload.step) reported.delete(step)
  }
  let app = await AppProcess.start(folder, hear)
  try {
    const job = {
      kind: 'prune',
      checkpoint: join(sample, 'model'),
      data: [join(sample, 'train.jsonl')],
      maxDocuments: 10,
      steps: 100_000,
      batchSize: 1,
      sequenceLength: 8,
      rank: 1,
      targetModules: ['q', 'down'],
      frequency: 2,
      saveEvery: 3,
      threads: 1,
      device: 'onnx',
    }
    const { id } = await app.ask('runs.create', { job })
    const until = async (...states: string[]) => {
      for (;;) {
        const run = await app.ask('runs.get', { id })
        if (states.includes(run.state)) return run
        await pause(20)
      }
    }
    let random = 7
    for (let round = 1; round <= 20; round++) {
      await until('starting', 'running')
      random = (random * 1103515245 + 12345) % 2 ** 31
      // In the first moments of the process for a third of the rounds, among steps and saved states for the others.
      const steps = round % 3 === 0 ? 0 : 1 + (random % 7)
      const goal = Math.max(0, ...reported) + steps
      while (Math.max(0, ...reported) < goal) await pause(5)
      await pause(random % (steps === 0 ? 1000 : 100))
      if (round % 2 === 0) {
        await app.kill()
        app = await AppProcess.start(folder, hear)
        assert.equal((await app.ask('app.info', undefined)).databaseKeptAside, undefined)
      } else {
        try {
          app.killEngine()
        } catch {
          // It had not been started yet: the app is killed in its place.
          await app.kill()
          app = await AppProcess.start(folder, hear)
        }
      }
      const run = await until('failed', 'interrupted')
      assert.equal(run.resumable, true, `round ${round}: ${run.reason}`)
      assert.ok(run.reason)
      const [loss] = await app.ask('runs.series', { id, names: ['loss'], points: 5000 })
      const stored = loss?.steps ?? []
      assert.deepEqual(stored, oneTo(stored.length), `round ${round}: steps are stored in order`)
      for (const step of reported) assert.ok(stored.includes(step), `round ${round}: step ${step} was reported`)
      assert.ok((run.lastSavedStep ?? 0) <= stored.length, `round ${round}: no state without its steps`)
      await app.ask('runs.resume', { id })
    }
    const before = reported.size
    for (const patience = Date.now() + 60_000; reported.size < before + 5 && Date.now() < patience;) await pause(50)
    assert.ok(reported.size >= before + 5, 'the run goes on')
    await app.ask('runs.pause', { id })
    const run = await until('paused')
    const [loss] = await app.ask('runs.series', { id, names: ['loss'], points: 5000 })
    const lines = readFileSync(join(run.folder, 'metrics.jsonl'), 'utf8').trim().split('\n')
    assert.deepEqual(
      loss!.mean,
      lines.map((line) => (JSON.parse(line) as { loss: number }).loss),
    )
    t.diagnostic(`${run.lastSavedStep} steps were done in the end`)
  } finally {
    await app.kill()
    const db = new Database(join(folder, databaseName))
    assert.equal(db.pragma('integrity_check', { simple: true }), 'ok')
    db.close()
    rmSync(folder, { recursive: true, force: true })
  }
})
