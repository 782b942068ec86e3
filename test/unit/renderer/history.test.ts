import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Column, engine } from '../../../electron/contract/index.ts'
import { columnLabel, defaultColumns } from '../../../renderer/src/screens/history/columns.ts'
import { queryOf, viewOf } from '../../../renderer/src/screens/history/history-filter.ts'
import { searchedFor } from '../../../renderer/src/screens/history/search-text.ts'
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
  const view = {
    filter,
    sort: { column: 'metric.piqa.acc', descending: true },
    group: 'setting.ratio',
    columns: ['state', 'metric.loss'],
  }
  const query = queryOf(view)
  const address = new URLSearchParams()
  for (const [name, value] of Object.entries(query))
    if (value !== null && value !== undefined) address.set(name, String(value))
  assert.deepEqual(viewOf(address), view)
  const odd = viewOf(
    new URLSearchParams('states=done|melted&archived=perhaps&sort=a b&tags=%25&group=a b&columns=|x y'),
  )
  assert.deepEqual(odd, {
    filter: { search: '', states: [], kinds: [], tags: [], archived: 'no' },
    sort: undefined,
    group: 'sweep',
    columns: null,
  })
})

const columns: Column[] = [
  { key: 'name', label: 'Name', type: 'text' },
  { key: 'state', label: 'State', type: 'state' },
  { key: 'created', label: 'Created', type: 'time' },
  { key: 'duration', label: 'Duration', type: 'seconds' },
  { key: 'tags', label: 'Tags', type: 'tags' },
  { key: 'setting.ratio', label: 'ratio', type: 'fraction' },
  { key: 'setting.base.ratio', label: 'base.ratio', type: 'fraction' },
  { key: 'setting.learningRate', label: 'learningRate', type: 'number' },
  { key: 'setting.maxGradientNorm', label: 'maxGradientNorm', type: 'number' },
  { key: 'setting.criterion', label: 'criterion', type: 'text' },
  { key: 'metric.meanAccuracy', label: 'meanAccuracy', type: 'fraction' },
  { key: 'metric.boolq.acc', label: 'boolq.acc', type: 'fraction' },
  { key: 'metric.perplexity.one', label: 'perplexity.one', type: 'number' },
  { key: 'metric.perplexity.two', label: 'perplexity.two', type: 'number' },
  { key: 'metric.peakMemoryBytes', label: 'peakMemoryBytes', type: 'bytes' },
]
const now = new Date(2026, 10, 28, 12).getTime()
const searched = (text: string) => searchedFor(text, columns, now)
const asks = (text: string) => searched(text).where.map(({ column, op, value }) => [column, op, value])

test('the search asks for values of columns by every name that they have', () => {
  const { words, where, problems } = searched('paper ratio > 0.3 learning rate<=1e-4 "two words" tag:best')
  assert.deepEqual([words, problems], ['paper "two words"', []])
  assert.deepEqual(
    where.map(({ column, op, value }) => [column, op, value]),
    [
      ['setting.ratio', '>', 0.3],
      ['setting.learningRate', '<=', 0.0001],
      ['tags', '=', 'best'],
    ],
  )
  assert.deepEqual(asks('max_grad_norm = 1 boolq>=60% mean accuracy != 0.5'), [
    ['setting.maxGradientNorm', '=', 1],
    ['metric.boolq.acc', '>=', 0.6],
    ['metric.meanAccuracy', '!=', 0.5],
  ])
  assert.deepEqual(asks('criterion:lora state = Done duration > 10min peak memory < 4GB'), [
    ['setting.criterion', 'contains', 'lora'],
    ['state', '=', 'done'],
    ['duration', '>', 600],
    ['metric.peakMemoryBytes', '<', 4e9],
  ])
})

test('a day of the search is all of it, and so many days ago are counted from now', () => {
  const [start, end] = [new Date(2026, 10, 1).getTime(), new Date(2026, 10, 2).getTime() - 1]
  assert.deepEqual(asks('created > 2026-11-01'), [['created', '>', end]])
  assert.deepEqual(asks('date = 2026-11-01'), [
    ['created', '>=', start],
    ['created', '<=', end],
  ])
  assert.deepEqual(asks('created >= 7d'), [['created', '>=', now - 7 * 86_400_000]])
  assert.deepEqual(asks('created < 2026-11-01T10:30'), [['created', '<', new Date(2026, 10, 1, 10, 30).getTime()]])
})

test('what the search does not understand is said and left out, and a colon in a name is none', () => {
  assert.deepEqual(searched('two ratios: 1-lora'), { words: 'two ratios 1-lora', where: [], problems: [] })
  for (const [text, problem] of [
    ['x ratoi > 0.3', /^No column is called “ratoi”/],
    ['x perplexity < 9', /“perplexity” may be Perplexity, one or Perplexity, two/],
    ['x ratio >', /^Ratio >: a value is missing/],
    ['x ratio > much', /^Ratio > much: that is no fraction/],
    ['x criterion > 3', /^Criterion is a text/],
    ['x created > 2026-02-31', /a date is written/],
  ] as const) {
    const { words, where, problems } = searched(text)
    assert.deepEqual([words, where, problems.length], ['x', [], 1], text)
    assert.match(problems[0]!, problem)
  }
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
