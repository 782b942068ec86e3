import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { LogLine, RunDetail } from '../../../electron/contract/index.ts'
import { outOfMemoryKills } from '../../../engine/shared/memory-kills.ts'
import { root, sample, TestApp } from '../../unit/electron/services.ts'

let app: TestApp
before(async () => void (app = await TestApp.open()))
after(() => app.remove())

const tiny = (changes: object = {}) => ({
  kind: 'prune',
  checkpoint: join(sample, 'model'),
  data: [join(sample, 'train.jsonl')],
  maxDocuments: 100,
  steps: 12,
  batchSize: 1,
  sequenceLength: 16,
  rank: 2,
  frequency: 2,
  saveEvery: 4,
  threads: 1,
  device: 'onnx',
  ...changes,
})
/** Takes long enough to be stopped on the way. */
const long = (changes: object = {}) => tiny({ steps: 100_000, ...changes })
const stepsOf = (run: RunDetail) =>
  readFileSync(join(run.folder, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { step: number }).step)
const curve = async (id: number, name = 'loss') =>
  (await app.ask('runs.series', { id, names: [name], points: 5000 }))[0]!
const oneTo = (last: number) => Array.from({ length: last }, (_, at) => at + 1)

const withoutId = ({ time, level, message }: LogLine) => ({ time, level, message })

let first: RunDetail

test('a run goes through the queue to its result, and everything of it is kept', async () => {
  const job = tiny({
    sampleEvery: 6,
    samplePrompts: ['Once'],
    sampleTokens: 4,
    evaluateDense: true,
    evaluation: {
      perplexity: { held: join(sample, 'heldout.txt') },
      maxWindows: 2,
      window: 16,
      prompts: ['Once'],
      maxNewTokens: 4,
    },
  })
  const estimate = await app.ask('runs.estimate', { job })
  assert.ok(estimate.fits && estimate.parameters.after < estimate.parameters.before)
  const { id, name, state } = await app.ask('runs.create', { job })
  assert.deepEqual([name, state], ['model, pruned 50%', 'queued'])
  first = await app.until(id, (run) => run.state === 'done')

  assert.deepEqual((await curve(id)).steps, oneTo(12))
  assert.deepEqual(stepsOf(first), oneTo(12))
  assert.deepEqual([first.result!.rows!.rows, first.result!.rows!.documents], [100, 100])
  assert.deepEqual(first.progress!.rows, first.result!.rows)
  const { held } = first.result!.besideDense!.texts
  assert.deepEqual([held!.windows, held!.tokens], [2, 30])
  assert.ok(held!.divergence > 0 && held!.agreement > 0 && held!.agreement <= 1)
  assert.deepEqual(first.metricNames, [
    'loss',
    'learningRate',
    'gradientNorm',
    'tokensPerSecond',
    'memoryBytes',
    'sparsity.planned',
    'sparsity.heads',
    'sparsity.channels',
    'sparsity.parameters',
    'sparsity.parametersPlanned',
  ])
  const told = app.told('metrics').filter((event) => event.id === id)
  assert.deepEqual(
    told.flatMap(({ points }) => points.find((point) => point.name === 'loss')?.steps ?? []),
    oneTo(12),
  )
  assert.ok(first.pruningSteps.length > 1)
  const snapshot = await app.ask('runs.snapshot', { id, step: 100 })
  assert.equal(snapshot?.step, first.pruningSteps.at(-1))
  assert.ok((await app.ask('runs.samples', { id })).some(({ prompt, step }) => prompt === 'Once' && step === 12))
  assert.ok((first.result?.scores?.perplexity['held']?.value ?? 0) > 0)
  assert.ok(first.result?.denseScores?.perplexity['held'])
  for (const { examples } of [first.result.scores!, first.result.denseScores])
    assert.deepEqual(
      examples?.map(({ prompt }) => prompt),
      ['Once'],
    )
  assert.equal(first.software['secateur'], '0.1.0')
  const { phases, fraction, secondsLeft } = first.progress!.overall!
  assert.deepEqual([fraction, secondsLeft], [1, 0])
  assert.deepEqual(
    phases.map(({ phase, state: at }) => `${phase}: ${at}`),
    ['scoring dense', 'reading', 'training', 'writing', 'scoring', 'comparing'].map((phase) => `${phase}: done`),
  )
  const fractions = app.told('run').flatMap((run) => (run.id === id ? (run.progress?.overall?.fraction ?? []) : []))
  assert.deepEqual(
    fractions,
    fractions.toSorted((a, b) => a - b),
    'it never goes backwards',
  )

  const output = await app.ask('library.get', { id: first.outputId! })
  assert.deepEqual([output.kind, output.storage, output.runId], ['pruned', 'run-output', id])
  assert.equal(output.evaluations[0]?.runId, id)
  assert.ok(output.originalLayers![0]!.heads > output.layers[0]!.heads)
  const { nodes, edges } = await app.ask('library.lineage', { id: first.checkpointId! })
  assert.deepEqual(edges, [
    { from: `run-${id}`, to: `checkpoint-${output.id}` },
    { from: `checkpoint-${first.checkpointId}`, to: `run-${id}` },
  ])
  assert.deepEqual(nodes.map(({ detail }) => detail).sort(), ['base', 'prune', 'pruned'])
  assert.deepEqual(app.platform.notifications, [['model, pruned 50% is done', 'Its result is in the library.', id]])
  assert.deepEqual([app.platform.awake, app.platform.progress], [false, null])
})

test('a run is paused with its state saved, goes on from there, and ends as one that never stopped', async () => {
  const { id } = await app.ask('runs.create', { job: tiny({ steps: 24 }), name: 'stopped' })
  await app.until(id, (run) => (run.progress?.step ?? 0) >= 5)
  assert.equal(app.platform.awake, true)
  assert.equal((await app.ask('runs.pause', { id })).state, 'stopping')
  const paused = await app.until(id, (run) => run.state === 'paused')
  assert.equal(paused.resumable, true)
  assert.equal(paused.lastSavedStep, stepsOf(paused).at(-1))
  assert.deepEqual((await curve(id)).steps, oneTo(paused.lastSavedStep!))
  await app.ask('runs.resume', { id })
  const done = await app.until(id, (run) => run.state === 'done')
  assert.deepEqual((await curve(id)).steps, oneTo(24))
  assert.deepEqual(stepsOf(done), oneTo(24))

  // The log tells of both attempts, and is read page by page.
  const log = await app.ask('runs.log', { id, limit: 1000 })
  const kept = readFileSync(join(done.folder, 'log.jsonl'), 'utf8').trimEnd().split('\n')
  assert.deepEqual(
    log.map(withoutId),
    kept.map((line) => JSON.parse(line) as object),
  )
  const said = (pattern: RegExp) => log.filter(({ message }) => pattern.test(message)).length
  assert.deepEqual(
    [said(/^back end: /), said(/^stopped after step/), said(/^100 of 100 rows/), said(/^done after/)],
    [2, 1, 2, 1],
  )
  assert.ok(said(/^selection after step \d+: /) > 1 && said(/^the state after step \d+ is saved/) > 0)
  const newest = await app.ask('runs.log', { id, limit: 3 })
  const earlier = await app.ask('runs.log', { id, limit: 3, before: newest[0]! })
  assert.deepEqual([...earlier, ...newest], log.slice(-6))
})

test('a run whose weights are too large for float16 is resumed with another type', async () => {
  const job = tiny({ steps: 2, frequency: 1, learningRate: 1, alpha: 1e6, outputDtype: 'float16' })
  const { id } = await app.ask('runs.create', { job, name: 'overflow' })
  const failed = await app.until(id, (run) => run.state === 'failed')
  assert.match(failed.reason ?? '', /too large for float16.*--output-dtype/)
  assert.equal(failed.resumable, true)
  await app.ask('runs.resume', { id, outputDtype: 'bfloat16' })
  const done = await app.until(id, (run) => run.state === 'done')
  assert.ok(done.job.kind === 'prune' && done.job.outputDtype === 'bfloat16')
})

test('a run goes on with something else for its examples than it was started with', async () => {
  const evaluation = { prompts: ['Once'], maxNewTokens: 4, runner: 'auto', runnerType: 'q8_0' }
  const { id } = await app.ask('runs.create', { job: tiny({ steps: 24, evaluation }), name: 'elsewhere' })
  await app.until(id, (run) => (run.progress?.step ?? 0) >= 5)
  await app.ask('runs.pause', { id })
  await app.until(id, (run) => run.state === 'paused')
  await app.ask('runs.resume', { id, runner: 'secateur' })
  const { job, result } = await app.until(id, (run) => run.state === 'done')
  assert.ok(job.kind === 'prune' && job.evaluation?.runner === 'secateur')
  assert.deepEqual([result!.scores!.examplesRan!.runner, result!.scores!.examplesRan!.why], ['secateur', null])
  assert.match((await app.problem('runs.resume', { id: first.id + 1, runner: 'auto' })).message, /scores nothing/)
})

test('one run at a time has the device; the queue can be put in another order, and cancelled', async () => {
  const [a, b, c] = [
    await app.ask('runs.create', { job: long(), name: 'a' }),
    await app.ask('runs.create', { job: long(), name: 'b' }),
    await app.ask('runs.create', { job: tiny({ steps: 2 }), name: 'c' }),
  ]
  await app.until(a.id, (run) => run.state === 'running')
  await app.ask('runs.move', { id: c.id, position: 0 })
  assert.deepEqual(
    (await app.ask('runs.active')).map(({ name, state }) => [name, state]),
    [
      ['a', 'running'],
      ['c', 'queued'],
      ['b', 'queued'],
    ],
  )
  await app.ask('runs.cancel', { id: b.id })
  assert.equal((await app.ask('runs.get', { id: b.id })).state, 'cancelled')
  assert.equal((await app.problem('library.remove', { id: a.checkpointId, files: 'trash' })).kind, 'in-use')
  assert.match((await app.problem('library.remove', { id: a.checkpointId, files: 'trash' })).message, /the run a/)
  await app.ask('runs.cancel', { id: a.id })
  await app.until(a.id, (run) => run.state === 'cancelled')
  await app.until(c.id, (run) => run.state === 'done')
  assert.equal((await app.ask('runs.active')).length, 0)
})

test('an engine that is killed fails its run with a reason and the last saved state, and the run goes on from it', async () => {
  const { id } = await app.ask('runs.create', { job: tiny({ steps: 24 }), name: 'killed' })
  await app.until(id, (run) => (run.lastSavedStep ?? 0) >= 4)
  execFileSync('pkill', ['-9', '-P', String(process.pid), '-f', 'engine/entries/run.ts'])
  const failed = await app.until(id, (run) => run.state === 'failed')
  // Only Linux says whether memory had run out.
  assert.match(
    failed.reason!,
    outOfMemoryKills() === null ? /killed, most likely by the system because memory ran out/ : /killed by a person/,
  )
  assert.ok(failed.resumable && failed.lastSavedStep! >= 4)
  assert.ok(app.platform.notifications.some(([title, , run]) => run === id && title === 'killed failed'))
  await app.ask('runs.resume', { id })
  await app.until(id, (run) => run.state === 'done')
  assert.deepEqual((await curve(id)).steps, oneTo(24))
})

test('jobs that cannot work are refused before they are queued, with the field and the file', async () => {
  assert.equal((await app.problem('runs.create', { job: tiny({ ratio: 2 }) })).field, 'ratio')
  assert.equal((await app.problem('runs.create', { job: tiny({ colour: 'red' }) })).kind, 'bad-setting')
  const missing = await app.problem('runs.create', { job: tiny({ data: ['/no/such/file'] }) })
  assert.deepEqual([missing.kind, missing.field, missing.file], ['bad-file', 'data', '/no/such/file'])
  assert.equal((await app.problem('runs.create', { job: tiny({ checkpoint: sample }) })).kind, 'bad-file')
  const rows = [{ text: 'a text' }, { title: 'x' }].map((row) => JSON.stringify(row)).join('\n')
  const data = join(app.dataFolder, 'bad.jsonl')
  writeFileSync(data, rows)
  const bad = await app.problem('runs.create', { job: tiny({ data: [data] }) })
  assert.deepEqual([bad.kind, bad.file, bad.field], ['bad-file', data, 'line 2'])
  const found = await app.ask('runs.check', { job: tiny({ data: [data] }) })
  assert.deepEqual([found.badRows, found.rows!.rows, found.problems.length], [1, 1, 1])
  const skipping = await app.ask('runs.check', { job: tiny({ data: [data], badRows: 'skip' }) })
  assert.deepEqual([skipping.badRows, skipping.rows!.skipped, skipping.problems], [0, 1, []])
  const scored = { tasks: { piqa: data }, perplexity: { short: data } }
  const unscored = await app.problem('runs.create', { job: tiny({ evaluation: scored }) })
  assert.match(unscored.message, /bad\.jsonl: line 1, goal: is missing/)
  assert.ok(!(await app.ask('tasks.list')).some(({ state }) => state === 'running'))
})

test('a job that fails when its turn comes says why', async () => {
  const { id } = await app.ask('runs.create', { job: tiny({ evaluateDense: true }), name: 'impossible' })
  const failed = await app.until(id, (run) => run.state === 'failed')
  assert.match(failed.reason!, /evaluateDense: say on what/)
  assert.equal(failed.resumable, false)
  assert.ok(
    (await app.ask('runs.log', { id })).some(({ level, message }) => level === 'error' && message === failed.reason),
  )
})

test('every run of a sweep is a run of the history', async () => {
  const { kind: _, checkpoint, device: __, ...base } = tiny({ steps: 2, evaluation: { perplexity: {} } })
  const job = { kind: 'sweep', checkpoint, base, values: { ratio: [0.3, 0.6] }, dense: false }
  assert.equal((await app.ask('runs.plan', { values: job.values })).runs, 2)
  const { id } = await app.ask('runs.create', { job, name: 'both' })
  await app.until(id, (run) => run.state === 'done')
  assert.ok(app.told('run').some(({ progress }) => progress?.stage === 'sweeping: 2-0.6' && progress.total === 2))
  const { rows } = await app.ask('history.query', {
    search: 'both',
    kinds: ['prune'],
    columns: ['setting.ratio', 'state'],
  })
  assert.deepEqual(rows.map(({ values }) => values).sort(), [
    [0.3, 'done'],
    [0.6, 'done'],
  ])
  assert.equal((await app.ask('runs.get', { id: rows[0]!.id })).parentId, id)

  const sweep = await app.ask('runs.sweep', { id })
  assert.deepEqual(
    sweep.runs.map(({ varied, state, runId }) => [varied['ratio'], state, rows.some((row) => row.id === runId)]),
    [
      [0.3, 'done', true],
      [0.6, 'done', true],
    ],
  )
  const [less, more] = sweep.rows.map(({ metrics }) => metrics['parameters']!.mean)
  assert.ok(less! > more!, `${less} and ${more} parameters`)
  assert.ok(sweep.figures.some(({ name, svg }) => name === 'parameters' && svg.startsWith('<svg')))
  assert.match(await app.ask('runs.sweepText', { id, as: 'markdown' }), /2 of 2 runs[^]*\| 0\.6 \|/)
  assert.match(await app.ask('runs.sweepText', { id, as: 'runs' }), /^ratio,parameters/)
  assert.equal((await app.problem('runs.sweep', { id: rows[0]!.id })).kind, 'bad-setting')
})

test('an adapter and what it is merged into go into the library, with both parents', async () => {
  const { frequency: _, ...settings } = tiny({ kind: 'finetune', steps: 2 })
  const tuned = await app.ask('runs.create', { job: settings, name: 'tuned' })
  const { outputId: adapterId, checkpointId } = await app.until(tuned.id, (run) => run.state === 'done')
  const adapter = await app.ask('library.get', { id: adapterId! })
  assert.deepEqual([adapter.kind, adapter.adapter?.rank], ['adapter', 2])

  const job = { kind: 'merge', checkpoint: settings.checkpoint, adapter: adapter.path }
  const merging = await app.ask('runs.create', { job, name: 'merged' })
  assert.match(
    (await app.problem('library.remove', { id: adapterId, files: 'trash' })).message,
    /needed by the run merged/,
  )
  const { outputId } = await app.until(merging.id, (run) => run.state === 'done')
  assert.equal((await app.ask('library.get', { id: outputId! })).kind, 'merged')
  const { edges } = await app.ask('library.lineage', { id: outputId! })
  for (const from of [checkpointId, adapterId])
    assert.ok(edges.some((edge) => edge.from === `checkpoint-${from}` && edge.to === `run-${merging.id}`))
})

test('a run is tried again under a new name, removed, restored and archived', async () => {
  const again = await app.ask('runs.retry', { id: first.id })
  assert.equal(again.name, 'model, pruned 50% (2)')
  assert.notEqual(again.folder, first.folder)
  assert.equal((await app.ask('runs.get', { id: again.id })).parentId, first.id)
  assert.equal((await app.problem('runs.remove', { ids: [again.id], files: 'keep' })).kind, 'in-use')
  await app.ask('runs.cancel', { id: again.id })
  await app.until(again.id, (run) => run.state === 'cancelled')
  await app.ask('runs.remove', { ids: [again.id], files: 'keep' })
  assert.equal((await app.problem('runs.get', { id: again.id })).kind, 'not-found')
  await app.ask('runs.restore', { ids: [again.id] })
  await app.ask('runs.archive', { ids: [again.id], archived: true })
  assert.equal((await app.ask('history.query', { archived: 'only' })).rows[0]!.id, again.id)
})

test('the history searches, filters, sorts and exports', async () => {
  await app.ask('runs.update', { id: first.id, name: '=SUM(A1), "quoted"', notes: 'a naïve idea', tags: ['paper'] })
  const find = async (search: string) => (await app.ask('history.query', { search })).rows.map(({ id }) => id)
  assert.deepEqual(await find('naive id'), [first.id])
  assert.deepEqual(await find('paper'), [first.id])
  assert.ok((await find('loraprune frequency 2')).includes(first.id))
  assert.deepEqual(await find('"unbalanced OR ('), [])
  const sorted = await app.ask('history.query', {
    columns: ['setting.steps', 'metric.loss', 'tags'],
    sort: { column: 'setting.steps', descending: false },
    states: ['done'],
    kinds: ['prune'],
  })
  const steps = sorted.rows.map(({ values }) => values[0] as number)
  assert.deepEqual(
    steps,
    steps.toSorted((a, b) => a - b),
  )
  assert.deepEqual((await app.ask('history.query', { tags: ['paper'], columns: ['tags'] })).rows[0]!.values, [
    ['paper'],
  ])
  const keys = (await app.ask('history.columns')).map(({ key }) => key)
  assert.ok(
    ['name', 'setting.lambda', 'metric.perplexity.held', 'metric.dense.perplexity.held'].every((key) =>
      keys.includes(key),
    ),
  )
  const csv = await app.ask('history.export', {
    tags: ['paper'],
    columns: ['name', 'created', 'setting.ratio'],
    format: 'csv',
  })
  const created = new Date(first.created).toISOString()
  assert.equal(csv, `id,Name,Created,setting.ratio\r\n${first.id},"'=SUM(A1), ""quoted""",${created},0.5\r\n`)
  const json: unknown = JSON.parse(
    await app.ask('history.export', { tags: ['paper'], columns: ['setting.ratio'], format: 'json' }),
  )
  assert.deepEqual(json, [{ id: first.id, 'setting.ratio': 0.5 }])
})

test('runs are compared: what differs, curves, layers, samples and a scatter', async () => {
  const [other] = (await app.ask('history.query', { search: 'stopped' })).rows
  const comparison = await app.ask('compare.get', { ids: [first.id, other!.id] })
  assert.deepEqual((await app.ask('compare.get', { ids: [first.id, 987_654] })).missing, [987_654])
  assert.deepEqual(
    comparison.settings.find(({ name }) => name === 'steps'),
    { name: 'steps', values: [12, 24], differs: true },
  )
  assert.equal(comparison.settings.find(({ name }) => name === 'ratio')?.differs, false)
  assert.equal(comparison.series[1]!.series[0]!.points, 24)
  for (const { layers } of comparison.layers)
    for (const layer of layers) assert.ok(layer.heads < layer.headsOf && layer.channels < layer.channelsOf)
  assert.deepEqual(
    comparison.samples.map(({ prompt, texts }) => [prompt, texts[1]]),
    [['Once', null]],
  )
  const points = await app.ask('compare.scatter', {
    x: 'metric.parametersAfter',
    y: 'metric.loss',
    ids: [first.id, other!.id],
  })
  assert.deepEqual(
    points.map(({ id }) => id),
    [first.id, other!.id],
  )
})

test('a run goes into an archive and comes back, and a folder of the command line is taken in', async () => {
  const archive = await app.ask('runs.export', { id: first.id, to: app.dataFolder, includeOutput: true })
  assert.ok(existsSync(archive))
  const imported = await app.ask('runs.importArchive', { path: archive })
  assert.notEqual(imported.folder, first.folder)
  assert.deepEqual([imported.state, imported.name, imported.tags], ['done', '=SUM(A1), "quoted"', ['paper']])
  assert.deepEqual((await curve(imported.id)).mean, (await curve(first.id)).mean)
  assert.equal((await app.ask('runs.get', { id: imported.id })).result?.loss, first.result?.loss)
  assert.equal((await app.ask('library.get', { id: imported.outputId! })).name, imported.name)
  const logOf = async (id: number) => (await app.ask('runs.log', { id, limit: 1000 })).map(withoutId)
  assert.deepEqual(await logOf(imported.id), await logOf(first.id))

  const folder = join(app.dataFolder, 'by-hand')
  const flags = [
    '--data',
    join(sample, 'train.jsonl'),
    '--steps',
    '4',
    '--batch-size',
    '1',
    '--sequence-length',
    '16',
    '--threads',
    '1',
  ]
  execFileSync(
    process.execPath,
    [join(root, 'engine/entries/main.ts'), 'prune', join(sample, 'model'), '--out', folder, ...flags],
    { stdio: 'ignore' },
  )
  // What it wrote, met before the run is, is called after it nevertheless.
  const met = await app.ask('library.import', { path: join(folder, 'output') })
  assert.equal(met.name, 'by-hand')
  const taken = await app.ask('runs.importFolder', { path: folder })
  assert.equal(taken.outputId, met.id)
  assert.deepEqual([taken.state, taken.name, taken.kind], ['done', 'by-hand', 'prune'])
  assert.deepEqual((await curve(taken.id)).steps, oneTo(4))
  assert.ok((await logOf(taken.id)).some(({ message }) => message.startsWith('back end: ')))
  assert.equal((await app.ask('runs.importFolder', { path: folder })).id, taken.id)
  assert.match((await app.problem('runs.importFolder', { path: sample })).message, /run\.json/)
})
