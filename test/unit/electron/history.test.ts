import assert from 'node:assert/strict'
import Database from 'better-sqlite3'
import { beforeEach, test } from 'node:test'
import type { Scores } from '../../../engine/contract/index.ts'
import { historyQuerySchema, type HistoryQuery, type HistoryRow } from '../../../electron/contract/index.ts'
import { CheckpointStore } from '../../../electron/database/checkpoints.ts'
import { History } from '../../../electron/database/history.ts'
import { migrations } from '../../../electron/database/migrations/index.ts'
import { emptyRow, type RunRow, RunStore } from '../../../electron/database/runs.ts'
import type { Context } from '../../../electron/services/context.ts'
import { HistoryService } from '../../../electron/services/history.ts'
import { joinedScores, putMetrics, putMetricsOfEvaluated } from '../../../electron/services/joined-scores.ts'

let runs: RunStore
let checkpoints: CheckpointStore
let service: HistoryService

beforeEach(() => {
  const db = new Database(':memory:')
  for (const migration of migrations) db.exec(migration)
  runs = new RunStore(db)
  checkpoints = new CheckpointStore(db)
  service = new HistoryService({ runs, checkpoints } as Context, new History(db, runs.unwritten))
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
