import assert from 'node:assert/strict'
import Database from 'better-sqlite3'
import { test } from 'node:test'
import { metricNames, perMetric } from '../../../electron/database/metric-buckets.ts'
import { type MetricRow, MetricStore } from '../../../electron/database/metrics.ts'
import { migrations } from '../../../electron/database/migrations/index.ts'
import { SystemLoadStore } from '../../../electron/database/system-load.ts'
import { valuesOf } from '../../../electron/services/run-recorder.ts'
import { nvidiaLoad, SystemLoad } from '../../../electron/services/system-load.ts'

function open(): { db: Database.Database; store: MetricStore } {
  const db = new Database(':memory:')
  for (const migration of migrations) db.exec(migration)
  for (const id of [1, 2])
    db.exec(
      `INSERT INTO runs (id, name, kind, state, folder, checkpoint_name, created, job) VALUES (${id}, 'r', 'prune', 'done', '/${id}', 'c', 1, '{}')`,
    )
  return { db, store: new MetricStore(db) }
}

/** Loss is known at every step, the gradient's norm at every third; whole numbers, so that sums are exact. */
const lossAt = (step: number) => (step * 37) % 101
const row = (step: number): MetricRow => ({
  step,
  values: Float64Array.from(metricNames, (name) =>
    name === 'loss' ? lossAt(step) : name === 'gradientNorm' && step % 3 === 0 ? step : NaN,
  ),
})
const rows = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => row(from + at))
const everything = (db: Database.Database, id: number) =>
  db.prepare('SELECT level, bucket, data FROM metrics WHERE run_id = ? ORDER BY level, bucket').all(id)

test('the throughput of a run on images is kept in images, and added to what an earlier version stored', async () => {
  const { db, store } = open()
  const older = metricNames.length - 1
  const short = rows(1, 5).map(({ step, values }) => ({ step, values: values.slice(0, older) }))
  store.append(1, short)
  for (const bucket of db.prepare<[], { level: number; bucket: number; data: Buffer }>('SELECT * FROM metrics').all())
    if (bucket.level > 0)
      db.prepare('UPDATE metrics SET data = ? WHERE level = ? AND bucket = ?').run(
        bucket.data.subarray(0, older * perMetric * 8),
        bucket.level,
        bucket.bucket,
      )
  const line = { step: 6, loss: 1, learningRate: 1, gradientNorm: 1, tokens: 34 }
  store.append(1, [{ step: 6, values: valuesOf(line, { tokensPerSecond: 170, imagesPerSecond: 10, memoryBytes: 1 }) }])
  const speeds = store.series(1, { points: 10 }).filter(({ name }) => name.endsWith('PerSecond'))
  assert.deepEqual(speeds, [{ name: 'imagesPerSecond', steps: [6], mean: [10], min: [10], max: [10], points: 1 }])
})

test('few points come back as they went in, and only those that are known', () => {
  const { store } = open()
  store.append(1, rows(1, 10))
  const [loss, norm, ...others] = store.series(1, { points: 10 })
  assert.deepEqual(others, [])
  assert.equal(loss!.name, 'loss')
  assert.deepEqual(loss!.steps, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  assert.deepEqual(loss!.mean, loss!.steps.map(lossAt))
  assert.deepEqual([norm!.steps, norm!.mean, norm!.points], [[3, 6, 9], [3, 6, 9], 3])
  assert.deepEqual(store.series(1, { points: 10, names: ['gradientNorm'], from: 4, to: 7 })[0]!.steps, [6])
  assert.deepEqual(store.series(2, { points: 10 }), [])
})

test('many points come back as pieces with exact means and ranges, whatever the batches they came in', () => {
  const { store } = open()
  for (let from = 1; from <= 9000;) {
    const to = Math.min(9000, from + ((from * 31) % 700))
    store.append(1, rows(from, to))
    from = to + 1
  }
  for (const points of [7, 100, 1000]) {
    const [loss] = store.series(1, { points })
    assert.ok(loss!.steps.length <= points && loss!.steps.length > points / 4, `${loss!.steps.length} of ${points}`)
    assert.equal(loss!.points, 9000)
    const all = Array.from({ length: 9000 }, (_, at) => lossAt(at + 1))
    assert.equal(Math.min(...(loss!.min as number[])), Math.min(...all))
    assert.equal(Math.max(...(loss!.max as number[])), Math.max(...all))
    for (const [at, mean] of loss!.mean.entries()) assert.ok(loss!.min[at]! <= mean! && mean! <= loss!.max[at]!)
  }
  // Norms are the steps themselves: a piece's mean must be its place.
  const [norm] = store.series(1, { points: 50, names: ['gradientNorm'] })
  for (const [at, mean] of norm!.mean.entries()) assert.ok(Math.abs(mean! - norm!.steps[at]!) <= 2)
  const [zoomed] = store.series(1, { points: 50, names: ['gradientNorm'], from: 4000, to: 4200 })
  assert.ok(zoomed!.min[0]! >= 4000 - 16 && (zoomed!.max.at(-1) ?? 0) <= 4200 + 16)
})

test('a rewound curve is the one that was never longer', () => {
  for (const step of [0, 1, 63, 64, 1000, 4096, 4999]) {
    const { db, store } = open()
    store.append(1, rows(1, 5000))
    store.rewind(1, step)
    if (step > 0) store.append(2, rows(1, step))
    assert.deepEqual(everything(db, 1), everything(db, 2), `rewound to ${step}`)
    assert.equal(store.lastStep(1), step)
    store.append(1, rows(step + 1, 5000))
    store.rewind(2, 0)
    store.append(2, rows(1, 5000))
    assert.deepEqual(store.series(1, { points: 20 }), store.series(2, { points: 20 }))
  }
})

/** Every metric is known. */
const fullRow = (step: number): MetricRow => ({ step, values: Float64Array.from(metricNames, () => lossAt(step)) })

/** A store, and how many rows it has read and written so far. */
function counting(db: Database.Database) {
  let read = 0
  const counted = new Proxy(db, {
    get(target, name) {
      if (name !== 'prepare') return Reflect.get(target, name).bind(target)
      return (sql: string) =>
        new Proxy(target.prepare(sql), {
          get(statement, method) {
            if (method !== 'iterate') return Reflect.get(statement, method).bind(statement)
            return function* (...values: unknown[]) {
              for (const one of statement.iterate(...values)) {
                read++
                yield one
              }
            }
          },
        })
    },
  })
  const written = () => db.prepare('SELECT total_changes()').pluck().get() as number
  return { store: new MetricStore(counted), rows: () => ({ read, written: written() }) }
}

test('a run of 1,000,000 points is opened from a few thousand rows, and grows by a few at each step', () => {
  const { db } = open()
  const { store, rows: counts } = counting(db)
  // In batches of 5000 steps, however many metrics there are.
  const steps = Math.ceil(1_000_000 / metricNames.length / 5000) * 5000
  const batch = db.transaction((from: number) =>
    store.append(
      1,
      Array.from({ length: 5000 }, (_, at) => fullRow(from + at)),
    ),
  )
  for (let from = 1; from <= steps; from += 5000) batch(from)
  assert.equal(
    store.series(1, { points: 1000 }).reduce((sum, { points }) => sum + points, 0),
    steps * metricNames.length,
  )
  const before = counts()
  store.series(1, { points: 1000 })
  const opened = counts().read - before.read
  assert.ok(opened > 1000 && opened <= 4002, `${opened} rows were read`)
  store.append(1, [fullRow(steps + 1)])
  const grown = counts()
  assert.deepEqual([grown.read - before.read - opened, grown.written - before.written], [0, 13])
})

const point = (at: number) => ({
  time: 5 * at,
  processor: (at % 4) / 4,
  memoryBytes: 2 ** 30,
  card: null,
  cardMemoryBytes: null,
})

test('the load of the computer is kept with ever longer distances, and what the system does not say stays out', () => {
  const { db } = open()
  const store = new SystemLoadStore(db)
  for (let at = 1; at <= 2000; at++) store.add(1, point(at))
  assert.deepEqual(store.of(1).slice(0, 2), [point(1), point(2)])
  store.add(1, point(2001))
  const kept = store.of(1)
  assert.equal(kept.length, 1001)
  assert.deepEqual(kept[0], { ...point(2), processor: (0.25 + 0.5) / 2 })
  assert.deepEqual(kept.at(-1), point(2001))
  assert.deepEqual(store.of(2), [])
})

test('the system says how busy processors and memory are, and nvidia-smi the busiest card', async () => {
  const system = new SystemLoad()
  const end = performance.now() + 60
  while (performance.now() < end);
  const { processor, memoryBytes, card } = await system.now()
  assert.ok(processor! > 0 && processor! <= 1)
  assert.ok(memoryBytes! > 0)
  assert.ok(card === null || (card >= 0 && card <= 1))
  assert.deepEqual(nvidiaLoad('3, 100\n87, 2048\n'), { card: 0.87, cardMemoryBytes: 2 ** 31 })
  assert.throws(() => nvidiaLoad('No devices were found'), /names no card/)
})
