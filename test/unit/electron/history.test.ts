import assert from 'node:assert/strict'
import Database from 'better-sqlite3'
import { beforeEach, test } from 'node:test'
import { pruneSchema, type Scores } from '../../../engine/contract/index.ts'
import {
  historyQuerySchema,
  type HistoryQuery,
  type HistoryRow,
  historyTableSchema,
  type Request,
  type TableRow,
} from '../../../electron/contract/index.ts'
import { CheckpointStore } from '../../../electron/database/checkpoints.ts'
import { History } from '../../../electron/database/history.ts'
import { migrations } from '../../../electron/database/migrations/index.ts'
import { emptyRow, type RunRow, RunStore } from '../../../electron/database/runs.ts'
import type { Context } from '../../../electron/services/context.ts'
import { coordinateHandlers } from '../../../electron/services/coordinates.ts'
import { settingsOf } from '../../../electron/services/run-values.ts'
import { HistoryService } from '../../../electron/services/history.ts'
import { lineageOf } from '../../../electron/services/lineage.ts'
import { tagRuns } from '../../../electron/services/run-tags.ts'
import { joinedScores, putMetrics, putMetricsOfEvaluated } from '../../../electron/services/joined-scores.ts'

let runs: RunStore
let checkpoints: CheckpointStore
let service: HistoryService
let coordinates: ReturnType<typeof coordinateHandlers>

beforeEach(() => {
  const db = new Database(':memory:')
  for (const migration of migrations) db.exec(migration)
  runs = new RunStore(db)
  checkpoints = new CheckpointStore(db)
  const history = new History(db, runs.unwritten)
  service = new HistoryService({ runs, checkpoints } as Context, history)
  coordinates = coordinateHandlers(history)
})

const checkpoint = (name: string): number =>
  checkpoints.insert({
    name,
    path: `/${name}`,
    storage: 'in-place',
    kind: 'base',
    family: 'llama',
    parameters: 1,
    dtype: 'float32',
    bytes: 1,
    tokenizer: null,
    status: 'present',
    run_id: null,
    notes: '',
    favourite: 0,
    added: 1,
    content_hash: null,
    inspection: '{}',
    mount: null,
    fits: null,
    removed: null,
  })

let number = 0
function run(row: Partial<RunRow>): number {
  const id = runs.insert({
    ...emptyRow,
    name: `run ${++number}`,
    kind: 'prune',
    state: 'done',
    folder: `/runs/${number}`,
    device: null,
    checkpoint_id: null,
    checkpoint_name: 'base',
    created: number,
    job: '{}',
    ...row,
  })
  runs.index(id)
  return id
}

const query = async (asked: HistoryQuery = {}): Promise<{ total: number; rows: HistoryRow[] }> =>
  await service.handlers['history.query'](historyQuerySchema.parse(asked))

const task = (acc: number, asked = 'the same') => ({ acc, stderr: 0.1, n: 10, asked })
const text = (value: number, window = 128) => ({
  value,
  tokens: 1000,
  scored: 1000,
  windows: 8,
  window,
  protocol: 'modern',
})

function score(id: number, of: number, scores: Scores): void {
  runs.update(id, { result: JSON.stringify({ scores }) })
  runs.records.putEvaluation(id, 'result', of, id, scores)
  putMetrics({ runs }, runs.get(id)!)
  putMetricsOfEvaluated({ runs }, [id])
}

/** A pruning run with a score of its own, and two evaluations: of what it made, and of the dense checkpoint. */
function evaluatedLater() {
  const [base, pruned] = [checkpoint('base'), checkpoint('pruned')]
  const made = run({ name: 'made', checkpoint_id: base, output_id: pruned })
  score(made, pruned, { tasks: { piqa: task(0.6) }, perplexity: {} })
  const later = run({ name: 'later', kind: 'evaluate', checkpoint_id: pruned })
  score(later, pruned, { tasks: { piqa: task(0.1), boolq: task(0.8) }, perplexity: { wiki: text(12) } })
  const dense = run({ name: 'of dense', kind: 'evaluate', checkpoint_id: base })
  const asked = { piqa: task(0.9), boolq: task(0.9, 'otherwise') }
  score(dense, base, { tasks: asked, perplexity: { wiki: text(10) } })
  return { made, later, dense }
}

test('a run lasts as long as it says itself, and until its end where it does not', async () => {
  const times = { started: 1000, finished: 100_000 }
  run({ name: 'paused', ...times, result: JSON.stringify({ seconds: 9 }) })
  run({ name: 'failed', ...times, state: 'failed' })
  const { rows } = await query({ columns: ['name', 'duration'], sort: { column: 'duration', descending: true } })
  assert.deepEqual(
    rows.map(({ values }) => values),
    [
      ['failed', 99],
      ['paused', 9],
    ],
  )
})

test('a run that spends a budget has no ratio to be compared by', () => {
  const job = { kind: 'prune', checkpoint: 'model', data: ['a.txt'], out: '/run' }
  const said = (more: object) => {
    const settings = settingsOf(pruneSchema.parse({ ...job, ...more }))
    return [settings['ratio'], settings['ratioOf'], settings['budget']]
  }
  assert.deepEqual(said({}), [0.5, 'groups', undefined])
  assert.deepEqual(said({ budget: 'parameters=0.8' }), [undefined, undefined, 'parameters=0.8'])
})

test('a run takes up what later evaluations say of its checkpoints, and says where it comes from', async () => {
  const { made, later, dense } = evaluatedLater()
  const joined = joinedScores({ runs }, runs.get(made)!)
  // Its own score stays, and what the dense checkpoint was asked otherwise is left out.
  assert.deepEqual(
    [joined.scores?.tasks['piqa']?.acc, joined.scores?.tasks['boolq']?.acc, joined.scores?.perplexity['wiki']?.value],
    [0.6, 0.8, 12],
  )
  assert.deepEqual(Object.keys(joined.denseScores?.tasks ?? {}), ['piqa'])
  assert.deepEqual(joined.from, [
    { of: 'scores', runId: later, name: 'later', names: ['boolq', 'perplexity.wiki'] },
    { of: 'denseScores', runId: dense, name: 'of dense', names: ['piqa', 'perplexity.wiki'] },
  ])
  const columns = ['metric.meanAccuracy', 'metric.piqa.acc', 'metric.boolq.acc', 'metric.perplexity.wiki']
  const { rows } = await query({ columns, search: 'made' })
  assert.deepEqual(rows[0]?.values, [0.7, 0.6, 0.8, 12])
  assert.deepEqual(
    rows[0]?.from.map(({ column, runId }) => [column, runId]),
    [columns[0]!, columns[2]!, columns[3]!].map((column) => [column, later]),
  )
})

const meanOf = async () => (await query({ columns: ['metric.meanAccuracy'], search: 'made' })).rows[0]?.values[0]

test('what a removed evaluation said is gone from the run, and back when it is restored', async () => {
  const { made, later } = evaluatedLater()
  assert.equal(await meanOf(), 0.7)
  for (const [removed, expected] of [
    [1, 0.6],
    [null, 0.7],
  ] as const) {
    runs.update(later, { removed })
    putMetricsOfEvaluated({ runs }, [later])
    assert.equal(await meanOf(), expected)
  }
  assert.equal(joinedScores({ runs }, runs.get(made)!).from.length, 2)
})

test('an earlier database gets mean accuracies and what later evaluations say', () => {
  const db = new Database(':memory:')
  for (const migration of migrations.slice(0, 6)) db.exec(migration)
  db.exec(`
    INSERT INTO checkpoints (id, name, path, storage, kind, family, parameters, dtype, bytes, added, inspection)
    VALUES (1, 'base', '/base', 'in-place', 'base', 'llama', 1, 'float32', 1, 1, '{}'), (2, 'out', '/out', 'run-output', 'pruned', 'llama', 1, 'float32', 1, 1, '{}');
    INSERT INTO runs (id, name, kind, state, folder, checkpoint_name, checkpoint_id, output_id, created, job)
    VALUES (1, 'a', 'prune', 'done', '/a', 'c', 1, 2, 1, '{}'), (2, 'b', 'evaluate', 'done', '/b', 'c', 2, NULL, 1, '{}'),
      (3, 'c', 'evaluate', 'done', '/c', 'c', 1, NULL, 1, '{"adapter":"/out"}');
    INSERT INTO value_names VALUES (1, 'metric.piqa.acc'), (2, 'metric.boolq.acc'), (3, 'metric.seconds'), (4, 'metric.dense.piqa.acc');
    INSERT INTO run_values VALUES (1, 1, 0.5), (1, 3, 7), (1, 4, 0.9), (2, 1, 0.1), (2, 2, 0.7), (2, 3, 8);
    INSERT INTO evaluations VALUES (2, 'result', 2, 5, '{}'), (3, 'result', 1, 5, '{}');
    INSERT INTO settings VALUES ('historyColumns', '["metric.seconds","state","duration"]');`)
  db.exec(migrations[6]!)
  const values = db.prepare(
    'SELECT name, value FROM run_values JOIN value_names ON id = name_id WHERE run_id = 1 ORDER BY name',
  )
  assert.deepEqual(values.raw().all(), [
    ['metric.boolq.acc', 0.7],
    ['metric.dense.meanAccuracy', 0.9],
    ['metric.dense.piqa.acc', 0.9],
    ['metric.meanAccuracy', 0.6],
    ['metric.piqa.acc', 0.5],
  ])
  assert.equal(db.prepare('SELECT checkpoint_id FROM evaluations WHERE run_id = 3').pluck().get(), 2)
  assert.equal(db.prepare('SELECT value FROM settings').pluck().get(), '["duration","state"]')
})

/** Two sweeps, the first with two runs and the second with one, and a run of neither, each with a ratio and a loss. */
function sweeps() {
  const [first, second] = [run({ name: 'first', kind: 'sweep' }), run({ name: 'second', kind: 'sweep' })]
  const one = (name: string, parent: number | null, ratio: number, loss: number) => {
    const id = run({ name, parent_id: parent })
    runs.putValues(id, 'setting', { ratio })
    runs.putValues(id, 'metric', { loss })
    return id
  }
  const own = [one('first: a', first, 0.5, 3), one('first: b', first, 0.3, 1), one('second: a', second, 0.5, 2)]
  return { first, second, own, alone: one('alone', null, 0.1, 2.5) }
}
const table = async (asked: Request<'history.table'>) =>
  await service.handlers['history.table'](historyTableSchema.parse(asked))
/** A sweep with how many runs are folded, a run, or a value: those under a group are set in. */
const shown = (row: TableRow): string =>
  row.type === 'group'
    ? `${row.value}: ${row.folded.members.length}`
    : `${row.depth > 0 ? '  ' : ''}${row.name}${row.folded ? ` (${row.folded.members.length})` : ''}`

test('the runs of a sweep are folded under it, at the place of the first of them', async () => {
  const { first } = sweeps()
  const sort = { column: 'metric.loss', descending: false }
  const folded = await table({ sort })
  assert.deepEqual([folded.total, folded.runs], [3, 6])
  assert.deepEqual(folded.rows.map(shown), ['first (2)', 'second (1)', 'alone'])
  const open = await table({ sort, open: [String(first)] })
  assert.deepEqual(open.rows.map(shown), ['first (2)', '  first: b', '  first: a', 'second (1)', 'alone'])
  const under = open.rows[1]
  assert.equal(under?.type === 'run' && under.sweep, 'first')
  assert.deepEqual((await table({ sort, open: [String(first)], offset: 2, limit: 2 })).rows.map(shown), [
    '  first: a',
    'second (1)',
  ])
  assert.equal((await table({ group: 'none' })).total, 6)
  // A sweep stands over what the filter finds of it, also where it is not found itself.
  const part = await table({ search: 'second a', kinds: ['prune'] })
  assert.deepEqual([part.rows.map(shown), part.runs], [['second (1)'], 1])
})

test('runs are grouped by a value with the means of their metrics', async () => {
  sweeps()
  const columns = ['metric.loss', 'setting.ratio']
  const { rows } = await table({ group: 'setting.ratio', columns, open: ['0.5'] })
  assert.deepEqual(rows.map(shown), ['0.1: 1', '0.3: 1', '0.5: 2', '  second: a', '  first: a', 'null: 2'])
  const half = rows[2]
  assert.deepEqual(half?.type === 'group' && half.values, [2.5, null])
  const byLoss = await table({ group: 'setting.ratio', sort: { column: 'metric.loss', descending: true } })
  assert.deepEqual(byLoss.rows.map(shown), ['0.5: 2', '0.1: 1', '0.3: 1', 'null: 2'])
})

const found = async (...where: NonNullable<HistoryQuery['where']>) =>
  (await query({ where, sort: { column: 'name', descending: false } })).rows.map(({ name }) => name)

test('columns are asked for values, and runs without one are let through by nothing', async () => {
  const { own, alone } = sweeps()
  runs.tags.set(own[0]!, ['Paper', 'gpu'])
  assert.deepEqual(await found({ column: 'setting.ratio', op: '>', value: 0.3 }), ['first: a', 'second: a'])
  assert.deepEqual(
    await found({ column: 'setting.ratio', op: '>=', value: 0.3 }, { column: 'metric.loss', op: '<', value: 3 }),
    ['first: b', 'second: a'],
  )
  assert.deepEqual(await found({ column: 'setting.ratio', op: '!=', value: 0.5 }), ['alone', 'first: b'])
  assert.deepEqual(await found({ column: 'tags', op: '=', value: 'paper' }), ['first: a'])
  assert.equal((await found({ column: 'tags', op: '!=', value: 'paper' })).length, 5)
  assert.deepEqual(await found({ column: 'name', op: 'contains', value: 'LONE' }), ['alone'])
  assert.deepEqual(await found({ column: 'created', op: '>=', value: runs.get(alone)!.created }), ['alone'])
  // A text is never larger than a number.
  runs.putValues(alone, 'setting', { ratio: 'much' })
  assert.deepEqual(await found({ column: 'setting.ratio', op: '>', value: 0.4 }), ['first: a', 'second: a'])
})

test('many runs get tags and lose them, and the search finds them by what they have now', async () => {
  const { own } = sweeps()
  runs.tags.set(own[0]!, ['old'])
  const told: number[][] = []
  const db = { transaction: (work: () => void) => work } as Context['db']
  const emit = ((_: string, { ids }: { ids: number[] }) => told.push(ids)) as Context['emit']
  await tagRuns({ db, runs, emit } as Context, { ids: own, add: ['new', 'old'], remove: ['old'] })
  assert.deepEqual(runs.tags.counts(own), [{ tag: 'new', count: 3 }])
  assert.deepEqual([(await query({ search: 'new' })).total, (await query({ search: 'old' })).total], [3, 0])
  assert.deepEqual(told, [own])
})

function lineage(of: number): [nodes: string[], edges: number] {
  const { nodes, edges } = lineageOf({ checkpoints, runs }, checkpoints.get(of)!)
  return [nodes.map(({ name, folded }) => `${name} ${folded}`).toSorted(), edges.length]
}

test('a lineage shows a sweep in place of those of its runs that lead to nothing', () => {
  const base = checkpoint('base')
  const sweep = run({ name: 'sweep', kind: 'sweep', checkpoint_id: base })
  const outputs = ['a', 'b', 'c'].map((name) => {
    const made = run({ name, checkpoint_id: base, parent_id: sweep })
    const id = checkpoint(name)
    checkpoints.update(id, { run_id: made })
    checkpoints.addParent(id, base)
    return id
  })
  assert.deepEqual(lineage(base), [['base 0', 'sweep 3'], 1])
  assert.deepEqual(lineage(outputs[0]!), [['a 0', 'a 0', 'base 0', 'sweep 2'], 3])
})

test('the runs of a sweep go with it where its folder goes', () => {
  const { first, own, alone } = sweeps()
  runs.update(own[1]!, { removed: 5 })
  assert.deepEqual(runs.withRunsOfSweeps([alone, first]), [alone, first, own[0]])
})

test('warnings are found in the whole log, however many lines came after them', () => {
  const id = run({ name: 'talks much' })
  const say = (time: number, level: 'info' | 'warning' | 'error') =>
    runs.records.addLog(id, { time, level, message: `${level} ${time}` })
  say(1, 'warning')
  for (let time = 2; time <= 300; time++) say(time, 'info')
  say(301, 'error')
  const newest = runs.records.log(id, { level: 'warnings', limit: 200 })
  assert.deepEqual(
    newest.map(({ message }) => message),
    ['warning 1', 'error 301'],
  )
  assert.deepEqual(runs.records.log(id, { level: 'warnings', before: newest[1]!, limit: 1 }), [newest[0]])
  assert.equal(runs.records.log(id, { level: 'all', limit: 200 }).length, 200)
})

test('of any runs the settings are told in which they differ, and the numbers that two of them have', async () => {
  const sweep = run({ name: 'all of them', kind: 'sweep' })
  const ids = [0.2, 0.5, 0.5].map((ratio, at) => {
    const id = run({ name: `drawn ${at}` })
    runs.putValues(id, 'setting', { ratio, rank: 8, ...(at > 0 && { criterion: at === 1 ? 'wanda' : 'loraprune' }) })
    runs.putValues(id, 'metric', { loss: at + 1, ...(at === 0 && { alone: 1 }) })
    return id
  })
  const drawn = await coordinates['coordinates.get']({ ids: [sweep, ...ids] })
  assert.deepEqual(
    [drawn.settings, drawn.metrics].map((columns) => columns.map(({ key }) => key)),
    [['setting.criterion', 'setting.ratio'], ['metric.loss']],
  )
  assert.deepEqual(
    drawn.runs.map(({ name, values }) => [name, ...values]),
    [
      ['drawn 0', null, 0.2, 1],
      ['drawn 1', 'wanda', 0.5, 2],
      ['drawn 2', 'loraprune', 0.5, 3],
    ],
  )
})
