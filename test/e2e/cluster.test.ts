import assert from 'node:assert/strict'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { z } from 'zod'
import { clusterSchema, sweepSchema } from '../../engine/contract/index.ts'
import { readRunFile, resultIn } from '../../engine/runs/run-files.ts'
import { readJson } from '../../engine/shared/files.ts'
import { expandSweep } from '../../engine/sweeps/expand.ts'
import { reportText } from '../../engine/sweeps/report.ts'
import { readSubmissions } from '../../engine/runners/slurm/cluster-folder.ts'
import { summaryRows } from '../../engine/sweeps/summary.ts'
import { outcomeOf, readFailures } from '../../engine/sweeps/sweep-folder.ts'
import { Cluster, findSlurm, freePorts } from '../slurm/cluster.ts'
import { findSsh, LoginNode } from '../slurm/login-node.ts'
import { TestApp } from '../unit/electron/services.ts'
import { linesOf, root, sample, secateur, temporaryFolder } from './secateur.ts'

const slurm = findSlurm()
const ssh = findSsh()
const skip = 'missing' in slurm ? `no Slurm here: ${slurm.missing}` : false
const folder = temporaryFolder()
/** Paths of sockets are short. */
const clusterFolder = skip ? '' : mkdtempSync('/tmp/secateur-')
const loginFolder = skip ? '' : mkdtempSync('/tmp/secateur-')
let cluster: Cluster
before(async () => {
  if ('root' in slurm) cluster = await Cluster.start(slurm.root, clusterFolder)
})
after(async () => {
  if (skip) return
  await cluster[Symbol.asyncDispose]()
  for (const path of [clusterFolder, loginFolder]) rmSync(path, { recursive: true, force: true })
})
const on = (args: readonly string[], onLine?: Parameters<typeof secateur>[1]) =>
  secateur(args, onLine, cluster.environment)

/** A short run of the sample. */
const short = {
  data: [sample('train.jsonl')],
  maxDocuments: 30,
  batchSize: 2,
  sequenceLength: 32,
  steps: 8,
  frequency: 2,
  saveEvery: 1,
  learningRate: 1e-3,
  threads: 1,
}

/** Short runs, six unless others are named, which take the dense checkpoint's scores from the sweep. */
function sweepFile(
  name: string,
  values: object = { criterion: ['loraprune', 'magnitude'], seed: [1, 2, 3] },
): { file: string; out: string } {
  const [file, out] = [join(folder, `${name}.json`), join(folder, name)]
  const evaluation = { perplexity: { heldout: sample('heldout.txt') }, maxWindows: 1 }
  const base = { ...short, evaluateDense: true, evaluation }
  writeFileSync(file, JSON.stringify({ checkpoint: sample('model'), out, base, values }))
  return { file, out }
}

/** Two short runs, the second of which fails: it names a teacher that is not there. */
function failingSweep(name: string): string {
  const file = join(folder, `${name}.json`)
  const variants = [{}, { distil: 0.5, teacher: join(folder, 'nowhere') }]
  const base = { ...short, steps: 2 }
  writeFileSync(file, JSON.stringify({ checkpoint: sample('model'), out: join(folder, name), base, variants }))
  return file
}
const oneFailed = /\nsecateur: 1 run could not be done: 2-[\w.-]+\. \S+report\.md says why\. Mend .* --resume/

/** A result without what every attempt measures of itself: seconds and memory. */
function unmeasured(path: string) {
  const { seconds: _, peakMemoryBytes: __, ...result } = resultIn(path)!
  return result
}

/** The report, without what every attempt measures of itself. */
function reportOf(out: string): string {
  const { job } = readRunFile(out)
  assert.ok(job.kind === 'sweep')
  const runs = expandSweep(job)
  const outcome = outcomeOf(job, out, runs, {
    results: new Map(runs.map(({ name }) => [name, unmeasured(join(out, 'runs', name))])),
    dense: unmeasured(join(out, 'dense')),
    failures: readFailures(out),
  })
  return reportText(outcome, summaryRows(outcome.results), [])
}

/** Arguments of an evaluation of three parts, or of two. */
const evaluation = (out: string, ...more: string[]) =>
  ['eval', sample('model'), '--out', out, '--threads', '1', '--limit', '3', '--max-windows', '1'].concat(
    ['--task', `piqa=${sample('tasks/piqa/valid.jsonl')}`, '--perplexity', `heldout=${sample('heldout.txt')}`],
    ['--predictions', `${out}.rows.jsonl`, '--lm-eval-json', `${out}.json`],
    more,
  )

/** All that an evaluation has left of its scores. */
const scoredIn = (out: string) => [
  unmeasured(out),
  readFileSync(join(out, 'scores.json'), 'utf8'),
  readFileSync(join(out, 'predictions/result.piqa.json'), 'utf8'),
  readFileSync(`${out}.rows.jsonl`, 'utf8'),
  readJson(`${out}.json`, z.object({ results: z.unknown(), configs: z.unknown(), config: z.unknown() })),
]

/** Names of the runs of a sweep. */
const runNames = (file: string) =>
  expandSweep(sweepSchema.parse({ ...readJson(file, z.looseObject({})), kind: 'sweep' })).map(({ name }) => name)

const weightsOf = (out: string, run: string) => readFileSync(join(out, 'runs', run, 'output/model.safetensors'))

/** What a task of Slurm has printed so far. */
function logOf(out: string, id: string): string {
  const file = join(out, 'cluster/logs', `${id}.log`)
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}

const arraysOf = (out: string) => readSubmissions(out)!.submissions.map(({ array, tasks }) => ({ array, tasks }))

type Found<T> = T | null | undefined | false

async function until<T>(what: string, find: () => Found<T> | Promise<Found<T>>): Promise<T> {
  for (const deadline = Date.now() + 120_000; Date.now() < deadline; await setTimeout(10)) {
    const found = await find()
    if (found) return found
  }
  throw new Error(`${what} did not happen`)
}

/** The process that writes a run, halted once a step is done. */
async function haltedAfterStep(run: string): Promise<number> {
  const metrics = join(run, 'metrics.jsonl')
  await until(`a step of ${run}`, () => existsSync(metrics) && statSync(metrics).size > 0)
  const { pid } = JSON.parse(readFileSync(join(run, 'lock.json'), 'utf8')) as { pid: number }
  process.kill(pid, 'SIGSTOP')
  return pid
}

const title =
  'a sweep on Slurm goes on through a requeue, a kill, a time limit and a restart of the controller, to the same report'
/** The controller is stopped and started again by one of the tests: others begin after that. */
const isBack = Promise.withResolvers<void>()

suite('on a cluster', { skip, concurrency: true }, () => {
  test(title, async (t) => {
    t.after(() => isBack.resolve())
    const [local, remote, other] = [sweepFile('local'), sweepFile('remote'), sweepFile('other')]
    const names = runNames(local.file)
    const run = (index: number) => join(remote.out, 'runs', names[index]!)

    let isAway = false
    const watched = on(
      ['sweep', remote.file, '--on', 'slurm', '--parallel', '2', '--cpus', '1', '--json'],
      (line, kill) => {
        isAway ||= line.includes('the scheduler does not answer, and runs are watched by their folders: squeue: ')
        if (line.includes('it was killed (SIGKILL)')) kill('SIGINT')
      },
    )
    const slow = await haltedAfterStep(run(0))
    await haltedAfterStep(run(1))
    const [, { array }] = arraysOf(remote.out) as [unknown, { array: string }]
    await cluster.stopController()
    await until('its absence', () => isAway)
    await cluster.startController()
    isBack.resolve()
    // The controller looks for such tasks twice a minute: the others pass by meanwhile.
    await cluster.run('scontrol', ['update', `JobId=${array}_0`, 'TimeLimit=1'])
    // At once, on a busy computer too: once its time is really over the run is killed.
    const isExtended = until('the end of its time', () => logOf(remote.out, `${array}_0`).includes('USR1 came')).then(
      () => cluster.run('scontrol', ['update', `JobId=${array}_0`, 'TimeLimit=60']),
    )
    await cluster.run('scontrol', ['requeue', `${array}_1`])
    process.kill(await haltedAfterStep(run(2)), 'SIGKILL')

    const left = await watched
    assert.equal(left.code, 130, left.stderr)
    assert.match(left.stdout, /the scheduler answers again/)
    assert.match(left.stdout, /the runs go on in Slurm \(\d+, \d+\): --resume/)

    const resumed = on(['sweep', remote.file, '--resume'])
    const alone = secateur(['sweep', local.file])
    const refused = await on(['sweep', other.file, '--on', 'slurm', '--partition', 'moon'])
    assert.equal(refused.code, 5)
    assert.match(refused.stderr, /sbatch: .*[Ii]nvalid partition/)
    const handedOver = await on(['sweep', other.file, '--resume', '--on', 'slurm', '--no-watch', '--partition', 'main'])
    assert.equal(handedOver.code, 0, handedOver.stderr)
    assert.match(handedOver.stderr, /submitted 7 tasks to Slurm as \d+, \d+\nthe runs go on in Slurm/)
    const cancelled = await on(['sweep', other.file, '--cancel'])
    assert.match(cancelled.stderr, /cancelled \d tasks; what ran has saved its state, and --resume goes on\n/)

    await isExtended
    process.kill(slow, 'SIGCONT')
    const ran = await resumed
    assert.equal(ran.code, 0, ran.stderr)
    assert.match(ran.stderr, /\d of \d tasks wait or run on the cluster already\nsubmitted 1 task to Slurm as/)
    assert.deepEqual(arraysOf(remote.out).at(-1)!.tasks, [names[2]], 'what is missing is submitted')

    const starts = names.map((_, index) => logOf(remote.out, `${array}_${index}`).match(/, start \d/g))
    assert.deepEqual(starts, [
      [', start 1', ', start 2'],
      [', start 1', ', start 2'],
      ...[2, 3, 4, 5].map(() => [', start 1']),
    ])
    for (const [index, signal] of ['USR1', 'TERM'].entries()) {
      const [first] = logOf(remote.out, `${array}_${index}`).split(', start 2')
      // Slurm sends TERM to the run itself as well: which of the two says so first is open.
      assert.match(first!, new RegExp(`${signal} came`))
      assert.match(first!, /stopped after step [1-7] of 8/)
    }
    assert.equal((await alone).code, 0)
    assert.equal(reportOf(remote.out), reportOf(local.out))
    for (const name of names) assert.ok(weightsOf(remote.out, name).equals(weightsOf(local.out, name)), name)

    const result = () => statSync(join(run(3), 'result.json')).mtimeMs
    const earlier = result()
    assert.equal((await on(['sweep-task', remote.out, names[3]!])).code, 0)
    assert.equal(result(), earlier, 'a finished run is not done again')
  })

  test('an evaluation in parts on Slurm is cancelled, goes on, and comes to what one process does', async () => {
    await Promise.race([isBack.promise, setTimeout(60_000, undefined, { ref: false })])
    const [alone, spread] = [join(folder, 'alone'), join(folder, 'spread')]
    const boolq = ['--task', `boolq=${sample('tasks/boolq/dev.jsonl')}`]
    const single = secateur(evaluation(alone, ...boolq))
    const place = ['--on', 'slurm', '--partition', 'parts', '--cpus', '1', '--no-watch']
    const handedOver = await on(evaluation(spread, ...boolq, ...place))
    assert.equal(handedOver.code, 0, handedOver.stderr)
    assert.match(handedOver.stderr, /submitted 3 tasks to Slurm as \d+\nthe runs go on in Slurm/)
    const cancelled = await on(['eval', '--out', spread, '--cancel'])
    assert.match(cancelled.stderr, /cancelled \d tasks?; what ran has saved its state, and --resume goes on\n/)
    const joined = await on(evaluation(spread, ...boolq, '--resume', '--json'))
    assert.equal(joined.code, 0, joined.stderr)
    assert.match(joined.stdout, /submitted [123] tasks? to Slurm as \d+/)
    assert.equal((await single).code, 0)
    assert.deepEqual(scoredIn(spread), scoredIn(alone))
    const tasks = readdirSync(join(spread, 'parts')).toSorted()
    assert.deepEqual(tasks, ['1-piqa', '2-boolq', '3-heldout'])
    const again = await on(evaluation(spread, ...boolq, '--resume'))
    assert.doesNotMatch(again.stderr, /submitted/)
    assert.match((await on(['eval', '--out', spread, '--cancel'])).stderr, /nothing of it waits or runs/)

    const failing = ['--on', 'slurm', '--partition', 'parts', '--cpus', '1']
    const failed = await on(['sweep', failingSweep('failing'), ...failing])
    assert.equal(failed.code, 1, failed.stderr)
    assert.match(failed.stderr, oneFailed)
  })

  test('the app follows a sweep on a cluster through its folder, also after it was closed, and cancels it', async () => {
    await Promise.race([isBack.promise, setTimeout(60_000, undefined, { ref: false })])
    let app = await TestApp.open(undefined, cluster.environment)
    const { dataFolder } = app
    try {
      const report = await app.ask('clusters.report')
      assert.match(report.version!, /^slurm/)
      assert.deepEqual(report.partitions.toSorted(), ['app', 'far', 'main', 'parts'])
      const shared = join(folder, 'shared')
      const job = { kind: 'sweep', checkpoint: sample('model'), base: short, values: { seed: [1, 2] } }
      const create = (name: string, settings: object) =>
        app.ask('runs.create', {
          name,
          folder: shared,
          job: { ...job, cluster: { partition: 'app', cpus: 1, ...settings } },
        })
      const refused = await create('Refused', { partition: 'moon' })
      const { id, folder: sweep } = await create('Two seeds', {})
      assert.equal(sweep, join(shared, 'two-seeds'))
      const names = ['1-1', '2-2']
      const halted = await haltedAfterStep(join(sweep, 'runs', names[0]!))
      const stateOf = async () => (await app.ask('runs.sweep', { id })).runs
      const [running, waiting] = await until('what the scheduler says', async () => {
        const runs = await stateOf()
        return runs[0]!.task?.state === 'RUNNING' && runs[0]!.runId !== null && runs[1]!.task && runs
      })
      assert.deepEqual([running!.state, waiting!.state], ['running', 'queued'])
      assert.match(running!.task!.node, /^n3$/)
      assert.match(waiting!.task!.reason, /^(Resources|Priority)$/)
      const first = running!.runId!
      await until('its curve', async () => (await app.ask('runs.series', { id: first, names: ['loss'] })).length > 0)
      const task = await app.ask('clusters.task', { id: first })
      assert.match(task!.output!.text, /1-1 is task \d+_0 on/)
      assert.equal((await app.problem('runs.cancel', { id: first })).kind, 'conflict')
      const wrong = await app.ask('runs.get', { id: refused.id })
      assert.equal(wrong.state, 'failed')
      assert.match(wrong.reason!, /sbatch: .*[Ii]nvalid partition/)
      assert.ok(wrong.resumable)

      await app.close()
      app = await TestApp.open(dataFolder, cluster.environment)
      await until(
        'the sweep, followed again',
        async () => (await app.ask('runs.get', { id: first })).state === 'running',
      )
      await app.until(id, ({ state }) => state === 'running')
      assert.equal(arraysOf(sweep).length, 1, 'nothing is submitted again')
      process.kill(halted, 'SIGKILL')
      const over = await app.until(id, ({ state }) => state === 'done')
      assert.deepEqual([over.result?.failedRuns, over.resumable], [1, true])
      const [killed] = await stateOf()
      assert.match(killed!.message!, /it was killed \(SIGKILL\)/)
      assert.equal((await app.ask('runs.get', { id: first })).state, 'failed')

      await app.ask('runs.resume', { id })
      const again = await until('its next start', () => {
        const lock = join(sweep, 'runs', names[0]!, 'lock.json')
        const { pid } = JSON.parse(existsSync(lock) ? readFileSync(lock, 'utf8') : '{}') as { pid?: number }
        return pid !== halted && pid
      })
      process.kill(again, 'SIGSTOP')
      await app.ask('runs.cancel', { id })
      process.kill(again, 'SIGCONT')
      const cancelled = await app.until(id, ({ state }) => state === 'cancelled')
      assert.ok(cancelled.resumable)
      assert.equal(await cluster.run('squeue', ['--noheader', '--partition=app']), '')

      const changed = clusterSchema.parse({ partition: 'app', cpus: 1, time: '00:20:00' })
      const moved = { ...changed, via: 'ssh://elsewhere', remote: '/x', secateur: '/y' }
      assert.equal((await app.problem('runs.resume', { id, cluster: moved })).kind, 'conflict')
      await app.ask('runs.resume', { id, cluster: changed })
      const done = await app.until(id, ({ state }) => state === 'done')
      assert.equal(done.result?.failedRuns, undefined)
      assert.equal(readSubmissions(sweep)!.cluster.time, '00:20:00')
      for (const { runId } of await stateOf()) assert.equal((await app.ask('runs.get', { id: runId! })).state, 'done')

      const perplexity = { heldout: sample('heldout.txt'), same: sample('heldout.txt') }
      const scores = { kind: 'evaluate', checkpoint: sample('model'), evaluation: { perplexity, maxWindows: 1 } }
      const place = { partition: 'app', cpus: 1 }
      const begun = await app.ask('runs.create', { name: 'Scores', folder: shared, job: { ...scores, cluster: place } })
      assert.equal(begun.folder, join(shared, 'scores'))
      const submitted = (arrays: number) =>
        until('its parts', () => readSubmissions(begun.folder)?.submissions[arrays - 1]?.array)
      await submitted(1)
      await app.ask('runs.cancel', { id: begun.id })
      const ended = await app.until(begun.id, ({ state }) => state === 'cancelled')
      assert.ok(ended.resumable)
      assert.equal(await cluster.run('squeue', ['--noheader', '--partition=app']), '')
      await app.ask('runs.resume', { id: begun.id })
      await submitted(2)
      await app.close()
      app = await TestApp.open(dataFolder, cluster.environment)
      const scored = await app.until(begun.id, ({ state }) => state === 'done' || state === 'failed')
      assert.equal(arraysOf(begun.folder).length, 2, 'nothing is submitted again')
      assert.deepEqual(Object.keys(scored.result?.scores?.perplexity ?? {}), ['heldout', 'same'], scored.reason ?? '')
      assert.deepEqual(arraysOf(begun.folder)[0]!.tasks, ['1-heldout', '2-same'])
    } finally {
      await app.remove()
    }
  })

  test(
    'a workstation that reaches the cluster by ssh alone submits, follows, loses the connection, cancels',
    {
      skip: 'missing' in ssh ? `no sshd here: ${ssh.missing}` : false,
    },
    async (t) => {
      await Promise.race([isBack.promise, setTimeout(60_000, undefined, { ref: false })])
      const [port] = await freePorts(1)
      await using login = await LoginNode.start((ssh as { root: string }).root, loginFolder, port!, cluster.environment)
      const from = (args: readonly string[], onLine?: Parameters<typeof secateur>[1]) =>
        secateur(args, onLine, login.environment)
      const values = { seed: [1, 2] }
      const [near, { file, out }] = [sweepFile('near', values), sweepFile('far', values)]
      const there = join(folder, 'on-the-cluster')
      const via = ['--via', login.address, '--remote', there, '--secateur', root, '--partition', 'far', '--cpus', '1']
      const names = runNames(file)
      const run = (index: number) => join('runs', names[index]!)
      const taken = (path: string) => existsSync(join(out, path)) && readFileSync(join(out, path), 'utf8')
      t.after(async () => await cluster.run('scancel', ['--partition=far']))

      const stranger = await from(['sweep', file, ...via])
      assert.equal(stranger.code, 5)
      assert.match(stranger.stderr, /the host key of root@127\.0\.0\.1 is not known here\. Type "ssh -p \d+ root@/)
      assert.ok(!existsSync(there))
      login.acceptHostKey()
      const astray = await from(['sweep', file, '--resume', ...via, '--secateur', '/nowhere'])
      assert.match(astray.stderr, /there is no Secateur in \/nowhere on root@127/)

      let isLost = false
      const watched = from(['sweep', file, '--resume', ...via, '--json'], (line, kill) => {
        isLost ||= line.includes('the connection to root@127.0.0.1 was lost')
        if (line.includes('root@127.0.0.1 answers again')) kill('SIGINT')
      })
      const halted = await haltedAfterStep(join(there, run(0)))
      await until('its curve here', () => taken(join(run(0), 'metrics.jsonl')))
      assert.ok(login.breakConnections() > 0)
      await until('the lost connection', () => isLost)
      const left = await watched
      assert.equal(left.code, 130, left.stderr)
      assert.match(left.stdout, /the runs go on in Slurm on root@127\.0\.0\.1 \(\d+, \d+\): --resume/)

      const resumed = from(['sweep', file, '--resume', '--fetch-outputs'])
      await until('the other connection', () => login.log.match(/Accepted publickey/g)!.length > 3)
      process.kill(halted, 'SIGCONT')
      const alone = secateur(['sweep', near.file])
      const ran = await resumed
      assert.equal(ran.code, 0, ran.stderr)
      assert.match(ran.stderr, /\d of \d tasks wait or run on the cluster already/)
      assert.equal(arraysOf(there).length, 2, 'nothing is submitted twice')
      assert.equal((await alone).code, 0)
      assert.equal(reportOf(out), reportOf(near.out))
      for (const name of names) assert.ok(weightsOf(out, name).equals(weightsOf(near.out, name)), name)
      for (const name of ['metrics.jsonl', 'pruning.jsonl', 'run.json', 'result.json'])
        assert.equal(taken(join(run(0), name)), readFileSync(join(there, run(0), name), 'utf8'))
      assert.ok(!existsSync(join(out, run(0), 'state')))
      const nothing = await from(['sweep', file, '--estimate', '--resume', '--json'])
      assert.equal(nothing.code, 0, nothing.stderr)
      assert.partialDeepStrictEqual(linesOf(nothing).at(-1), { seconds: 0, sweep: { runs: 0, finished: 2 } })

      const other = sweepFile('far-other', values)
      const handedOver = await from(['sweep', other.file, ...via, '--remote', `${there}-other`, '--no-watch'])
      assert.equal(handedOver.code, 0, handedOver.stderr)
      assert.match(handedOver.stderr, /submitted 3 tasks to Slurm as \d+, \d+\nthe runs go on in Slurm on root@127/)
      const cancelled = await from(['sweep', other.file, '--cancel'])
      assert.match(cancelled.stderr, /cancelled \d tasks; what ran has saved its state, and --resume goes on\n/)
      assert.equal(await cluster.run('squeue', ['--noheader', '--partition=far']), '')

      const failed = await from(['sweep', failingSweep('far-failing'), ...via, '--remote', `${there}-failing`])
      assert.equal(failed.code, 1, failed.stderr)
      assert.match(failed.stderr, oneFailed)

      const [distant, plain] = [join(folder, 'distant'), join(folder, 'plain')]
      const scored = secateur(evaluation(plain))
      const followed = await from(evaluation(distant, ...via, '--remote', `${there}-eval`))
      assert.equal(followed.code, 0, followed.stderr)
      assert.equal((await scored).code, 0)
      assert.deepEqual(scoredIn(distant), scoredIn(plain))
      assert.ok(!existsSync(join(`${there}-eval`, 'scores.json')), 'parts are joined here')

      const app = await TestApp.open(undefined, login.environment)
      try {
        const remote = join(folder, 'of-the-app')
        const settings = { via: login.address, remote, secateur: root, partition: 'far', cpus: 1 }
        const report = await app.ask('clusters.try', { cluster: clusterSchema.parse(settings) })
        assert.deepEqual(report.partitions.toSorted(), ['app', 'far', 'main', 'parts'])
        // What is chosen here has another path there.
        const resources = join(folder, 'resources-there')
        symlinkSync(join(root, 'resources'), resources)
        const map = { [join(root, 'resources')]: resources }
        const job = { kind: 'sweep', checkpoint: sample('model'), base: short, values, cluster: { ...settings, map } }
        const { id, folder: copy } = await app.ask('runs.create', { name: 'From afar', job })
        const begun = await haltedAfterStep(join(remote, 'from-afar', run(0)))
        const first = await until('the first run, with its node', async () => {
          const [one] = existsSync(join(copy, 'run.json')) ? (await app.ask('runs.sweep', { id })).runs : []
          return one?.task?.node === 'n4' && one.runId
        })
        await until('its curve', async () => (await app.ask('runs.series', { id: first, names: ['loss'] })).length > 0)
        // The queue's words may come a moment before the run's own.
        const entered = await until('the run under way', async () => {
          const one = await app.ask('runs.get', { id: first })
          return one.state === 'running' && one
        })
        assert.equal(entered.checkpointId, (await app.ask('runs.get', { id })).checkpointId)
        assert.ok('checkpoint' in entered.job && entered.job.checkpoint.startsWith(resources))
        await app.ask('runs.cancel', { id })
        process.kill(begun, 'SIGCONT')
        await app.until(id, ({ state }) => state === 'cancelled')
        assert.equal(await cluster.run('squeue', ['--noheader', '--partition=far']), '')
      } finally {
        await app.remove()
      }
    },
  )
})
