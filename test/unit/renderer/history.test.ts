import assert from 'node:assert/strict'
import { test } from 'node:test'
import { engine } from '../../../electron/contract/index.ts'
import { columnLabel, defaultColumns } from '../../../renderer/src/screens/history/columns.ts'
import { filterOf, queryOf } from '../../../renderer/src/screens/history/history-filter.ts'
import { Windows } from '../../../renderer/src/screens/history/windows.ts'

/** A table of 10,000 rows whose answers come when the test says so. */
function table() {
  const asked: { offset: number; limit: number; answer: () => void; refuse: () => void }[] = []
  let name = 'a'
  const windows = new Windows<string>(
    (offset, limit) => {
      const prefix = name
      return new Promise((resolve, reject) => {
        const rows = Array.from(
          { length: Math.min(limit, 10_000 - offset) },
          (_, index) => `${prefix}${offset + index}`,
        )
        asked.push({
          offset,
          limit,
          answer: () => resolve({ total: 10_000, rows }),
          refuse: () => reject(new Error('lost')),
        })
      })
    },
    () => {},
    { size: 100, held: 5 },
  )
  const answerAll = () => {
    for (const { answer } of asked.splice(0)) answer()
  }
  return { windows, asked, answerAll, rename: (to: string) => (name = to) }
}

test('rows in view are fetched once, those beside them ahead, and none twice', async () => {
  const { windows, asked, answerAll } = table()
  const first = windows.show(0, 30)
  assert.deepEqual(
    asked.map(({ offset }) => offset),
    [0],
  )
  answerAll()
  await first
  assert.equal(windows.total, 10_000)
  const second = windows.show(250, 330)
  const again = windows.show(250, 330)
  assert.deepEqual(
    asked.map(({ offset }) => offset).toSorted((a, b) => a - b),
    [100, 200, 300, 400],
  )
  answerAll()
  await Promise.all([second, again])
  for (let row = 100; row < 500; row++) assert.equal(windows.row(row), `a${row}`)
  await windows.show(320, 380)
  assert.equal(asked.length, 0)
})

test('an answer to an older question is dropped, and a reload keeps what is in view until it comes', async () => {
  const { windows, asked, answerAll, rename } = table()
  const first = windows.show(0, 30)
  answerAll()
  await first
  const late = windows.show(150, 180)
  const lost = asked.splice(0)
  rename('b')
  const reload = windows.reload(0, 30)
  assert.equal(windows.row(5), 'a5')
  for (const { answer } of lost) answer()
  await late
  assert.equal(windows.row(150), undefined)
  answerAll()
  await reload
  assert.equal(windows.row(5), 'b5')
})

test('what is held stays small, and a failed window is asked for again', async () => {
  const { windows, asked, answerAll } = table()
  const start = windows.show(0, 1)
  answerAll()
  await start
  for (const from of [500, 1500, 2500, 9990]) {
    const shown = windows.show(from, from + 9)
    answerAll()
    await shown
  }
  assert.equal(windows.row(0), undefined)
  assert.equal(windows.row(9999), 'a9999')
  const failing = windows.show(5000, 5010)
  for (const { refuse } of asked.splice(0)) refuse()
  await failing
  assert.match(String(windows.problem), /lost/)
  const retried = windows.show(5000, 5010)
  assert.ok(asked.length > 0)
  answerAll()
  await retried
  assert.equal(windows.problem, null)
  assert.equal(windows.row(5005), 'a5005')
})

test('the rest of a table is fetched until as much is held as may be', async () => {
  const { windows, asked, answerAll } = table()
  const first = windows.show(0, 30)
  answerAll()
  await first
  const filled = windows.fill()
  while (asked.length > 0) {
    assert.equal(asked.length, 1)
    answerAll()
    await new Promise((resolve) => void setImmediate(resolve))
  }
  await filled
  for (let row = 0; row < 500; row++) assert.equal(windows.row(row), `a${row}`)
  assert.equal(windows.row(500), undefined)
})

test('the address of the history says what it shows, and what is no filter is passed over', () => {
  const filter = {
    search: 'a & b',
    states: ['done' as const],
    kinds: [],
    tags: ['x|y', '50 %'],
    archived: 'all' as const,
  }
  const query = queryOf(filter, { column: 'metric.piqa.acc', descending: true })
  const address = new URLSearchParams()
  for (const [name, value] of Object.entries(query))
    if (value !== null && value !== undefined) address.set(name, String(value))
  assert.deepEqual(filterOf(address), { filter, sort: { column: 'metric.piqa.acc', descending: true } })
  const odd = filterOf(new URLSearchParams('states=done|melted&archived=perhaps&sort=a b&tags=%25'))
  assert.deepEqual(odd, {
    filter: { search: '', states: [], kinds: [], tags: [], archived: 'no' },
    sort: undefined,
  })
})

test('no two columns have one name', () => {
  const settings = (['finetune', 'prune', 'merge', 'evaluate'] as const).flatMap((kind) =>
    Object.keys(engine.schemaOfKind(kind)!.shape).filter((name) => !['out', 'kind', 'evaluation'].includes(name)),
  )
  const ofRuns = Object.keys(engine.schemaOfKind('prune')!.shape).flatMap((name) => [`base.${name}`, `values.${name}`])
  const facts = ['Name', 'Kind', 'State', 'Checkpoint', 'Device', 'Created', 'Duration', 'Tags', 'Notes', 'Folder']
  const metrics = ['loss', 'validationLoss', 'meanAccuracy', 'boolq.acc', 'boolq.accNorm', 'parametersAfter']
  const keys = [
    ...new Set(settings),
    ...ofRuns,
    ...Object.keys(engine.evaluationSchema.shape).map((name) => `evaluation.${name}`),
  ].map((name) => `setting.${name}`)
  const names = [...keys, ...metrics.flatMap((name) => [`metric.${name}`, `metric.dense.${name}`])].map((key) =>
    columnLabel({ key, label: key }),
  )
  const all = [...facts, ...names]
  assert.deepEqual(
    all.filter((name, at) => all.indexOf(name) !== at),
    [],
  )
})

test('scores stand among the columns at first, as far as there are some', () => {
  assert.ok(defaultColumns([]).includes('metric.meanAccuracy'))
  const keys = ['metric.loss', 'metric.perplexity.a', 'metric.perplexity.b', 'metric.images.top1'].map((key) => ({
    key,
  }))
  assert.deepEqual(
    defaultColumns(keys).filter((key) => key.startsWith('metric.')),
    ['metric.parametersKept', 'metric.meanAccuracy', 'metric.perplexity.a', 'metric.images.top1'],
  )
})
