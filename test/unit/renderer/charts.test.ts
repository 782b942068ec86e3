import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PruningSnapshot } from '../../../electron/contract/index.ts'
import { align, Curve, valueAt } from '../../../renderer/src/charts/curve.ts'
import { bin, colourAt, heatRows, scaled } from '../../../renderer/src/charts/heat.ts'
import { smooth } from '../../../renderer/src/charts/smoothing.ts'
import { loadLine } from '../../../renderer/src/screens/run/load-line.ts'
import { paretoFront } from '../../../renderer/src/screens/compare/pareto.ts'
import { coordinateRuns } from '../../../renderer/src/screens/history/coordinate-runs.ts'
import { explained, importances, metricAxis, settingAxis } from '../../../renderer/src/charts/coordinates.ts'

const close = (actual: (number | null)[], expected: (number | null)[]) => {
  assert.equal(actual.length, expected.length)
  for (const [index, value] of actual.entries()) {
    const wanted = expected[index] ?? null
    if (value === null || wanted === null) assert.equal(value, wanted)
    else assert.ok(Math.abs(value - wanted) < 1e-9, `${value} is not ${wanted}`)
  }
}

test('smoothing corrects the bias of its start, keeps gaps, and leaves constants alone', () => {
  close(smooth([3, 3, 3, 3], 0.9), [3, 3, 3, 3])
  // By hand: m = 0.5, 1.25, then 2.125 after a gap that does not count; corrected by 0.5, 0.75, 0.875.
  close(smooth([1, 2, null, 3], 0.5), [1, 1.25 / 0.75, null, 2.125 / 0.875])
  close(smooth([1, 5], 0), [1, 5])
  assert.throws(() => smooth([1], 1), RangeError)
})

test('a live curve takes each point once, however batches overlap, and goes back when the run does', () => {
  const curve = Curve.from({ name: 'loss', steps: [1, 2], mean: [5, 4], min: [5, 4], max: [5, 4], points: 2 })
  curve.append({ steps: [2, 3], values: [9, 3] })
  curve.append({ steps: [3, 4], values: [9, null] })
  assert.deepEqual(
    [curve.steps, curve.mean],
    [
      [1, 2, 3, 4],
      [5, 4, 3, null],
    ],
  )
  curve.rewind(2)
  curve.append({ steps: [3], values: [2] })
  assert.deepEqual(
    [curve.steps, curve.mean],
    [
      [1, 2, 3],
      [5, 4, 2],
    ],
  )
})

test('a live curve stays small, and its buckets keep mean and range of what they hold', () => {
  const curve = new Curve('loss', 100)
  const values = Array.from({ length: 10_000 }, (_, index) => Math.sin(index / 300) + (index % 7) / 10)
  for (let from = 0; from < values.length; from += 33) {
    const batch = values.slice(from, from + 33)
    curve.append({ steps: batch.map((_, index) => from + index), values: batch })
  }
  assert.ok(curve.length <= 200, `${curve.length} entries`)
  assert.equal(curve.lastStep, 9999)
  assert.equal(Math.max(...curve.max.map(Number)), Math.max(...values))
  assert.equal(Math.min(...curve.min.map(Number)), Math.min(...values))
  const weights = curve.steps.map((step, index) => step - (curve.steps[index - 1] ?? -1))
  const total = curve.mean.reduce<number>((sum, value, index) => sum + Number(value) * (weights[index] ?? 0), 0)
  assert.ok(Math.abs(total - values.reduce((sum, value) => sum + value, 0)) < 1e-6)
})

test('curves of different steps share one axis without inventing values', () => {
  const [steps, first, second] = align([
    { steps: [1, 3], values: [10, null] },
    { steps: [2, 3], values: [20, 30] },
  ])
  assert.deepEqual(
    [steps, first, second],
    [
      [1, 2, 3],
      [10, undefined, null],
      [undefined, 20, 30],
    ],
  )
  assert.equal(valueAt(steps, second ?? [], 2.5), 20)
  assert.equal(valueAt(steps, second ?? [], 1), null)
})

const snapshot = (step: number, kept: (0 | 1)[]): PruningSnapshot => ({
  step,
  planned: 0.25,
  layers: [
    { heads: { scores: [1, 10, 100, 0], kept }, channels: { scores: [2, 4], kept: [1, 0.5], count: 10 } },
    { heads: { scores: [5, 5], kept: [1, 1] }, channels: { scores: [1, 1], kept: [1, 1], count: 10 } },
  ],
})

test('the heat map averages neighbours, counts what stays, and pads narrower layers', () => {
  assert.deepEqual(bin([1, 3, 5, 7, 9], 2), [2, 7])
  const [first, second] = heatRows(snapshot(10, [1, 1, 1, 0]), 'heads')
  assert.deepEqual([first?.groups, first?.keptGroups, second?.scores], [4, 3, [5, 5, null, null]])
  assert.equal(heatRows(snapshot(10, [1, 1, 1, 0]), 'channels')[0]?.keptGroups, 8)
})

test('colours follow the logarithm of the score, over a layer or over all, and skip what left', () => {
  const rows = heatRows(snapshot(10, [1, 1, 1, 0]), 'heads')
  const [first, second] = scaled(rows, 'all')
  close(first ?? [], [0, 0.5, 1, null])
  close(second ?? [], [Math.log10(5) / 2, Math.log10(5) / 2, null, null])
  close(scaled(rows, 'layer')[1] ?? [], [1, 1, null, null])
  const brightness = [0, 0.25, 0.5, 0.75, 1].map((at) => {
    const [red, green, blue] = colourAt(at)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  })
  assert.deepEqual(
    brightness.toSorted((a, b) => a - b),
    brightness,
  )
})

test('the Pareto front holds what nothing beats, for every pair of directions', () => {
  const points = [
    { id: 1, x: 1, y: 5 },
    { id: 2, x: 2, y: 3 },
    { id: 3, x: 2, y: 4 },
    { id: 4, x: 3, y: 3 },
    { id: 5, x: 4, y: 1 },
    { id: 6, x: 2, y: 3 },
  ]
  const ids = (x: 'lower' | 'higher', y: 'lower' | 'higher') => paretoFront(points, { x, y }).map(({ id }) => id)
  assert.deepEqual(ids('lower', 'lower'), [1, 2, 6, 5])
  assert.deepEqual(ids('lower', 'higher'), [1])
  assert.deepEqual(ids('higher', 'lower'), [5])
  assert.deepEqual(ids('higher', 'higher'), [1, 3, 4, 5])
  assert.deepEqual(paretoFront([], { x: 'lower', y: 'lower' }), [])
})

test('the load of the computer is a line over seconds, with a gap where the run was paused', () => {
  const points = [0, 5, 10, 100, 105].map((second) => ({
    time: 1000 + 1000 * second,
    processor: second / 200,
    memoryBytes: 1,
    card: null,
    cardMemoryBytes: null,
  }))
  assert.deepEqual(loadLine(points, 'processor'), {
    steps: [0, 5, 10, 99, 100, 105],
    values: [0, 0.025, 0.05, null, 0.5, 0.525],
  })
  assert.deepEqual(loadLine([], 'card'), { steps: [], values: [] })
})

test('settings stand on their axis as far apart as they are, and words evenly', () => {
  const ratio = settingAxis('ratio', [0.5, 0.1, 0.2, 0.5])
  assert.deepEqual(
    ratio.ticks.map(({ value }) => value),
    [0.1, 0.2, 0.5],
  )
  assert.equal(ratio.placeOf(0.2)?.toFixed(3), '0.250')
  const words = settingAxis('criterion', ['b', 'a', null])
  assert.deepEqual([words.placeOf('b'), words.placeOf('a'), words.placeOf(null), words.placeOf('c')], [0, 0.5, 1, null])
  assert.equal(settingAxis('rank', [8]).placeOf(8), 0.5)
  assert.deepEqual(
    metricAxis('loss', [2, 4, 3]).ticks.map(({ place }) => place),
    [0, 1],
  )
  // Of more values than there is room for, the ends of numbers and some of the words are named.
  const many = Array.from({ length: 20 }, (_, at) => at)
  assert.deepEqual(
    settingAxis('seed', many).ticks.map(({ value }) => value),
    [0, 19],
  )
  assert.equal(settingAxis('data', many.map(String)).ticks.length, 7)
})

const sweepRun = (ratio: number, seed: number, loss: number) => ({ varied: { ratio, seed }, metrics: { loss } })

test('a setting explains the part of the variance that lies between its values', () => {
  const runs = [sweepRun(0.1, 0, 1), sweepRun(0.1, 1, 3), sweepRun(0.5, 0, 5), sweepRun(0.5, 1, 7)]
  // By hand: the mean is 4, all squares are 9 + 1 + 1 + 9, between ratios 2 * 4 + 2 * 4, between seeds 2 * 1 + 2 * 1.
  assert.equal(explained(runs, 'ratio', 'loss'), 0.8)
  assert.equal(explained(runs, 'seed', 'loss'), 0.2)
  assert.equal(explained(runs.slice(0, 2), 'seed', 'loss'), null)
  assert.equal(explained(runs.slice(0, 2), 'ratio', 'loss'), null)
  assert.equal(explained(runs, 'ratio', 'perplexity'), null)
  const named = runs.map((one, at) => ({ ...one, varied: { ...one.varied, name: String(at) } }))
  assert.deepEqual(
    importances(named, ['name', 'seed', 'ratio'], 'loss').map(({ name }) => name),
    ['ratio', 'seed', 'name'],
    'what explains most stands first, and what cannot be told last',
  )
})

const column = (key: string) => ({ key, label: key, type: 'number' as const })

test('runs of the history are drawn by their settings and metrics, without what a run lacks', () => {
  const runs = coordinateRuns({
    settings: [column('setting.ratio'), column('setting.criterion')],
    metrics: [column('metric.loss')],
    runs: [
      { id: 1, name: 'a', values: [0.5, 'wanda', 2] },
      { id: 2, name: 'b', values: [0.2, null, null] },
    ],
  })
  assert.deepEqual(runs, [
    { name: 'a', varied: { 'setting.ratio': 0.5, 'setting.criterion': 'wanda' }, metrics: { 'metric.loss': 2 } },
    { name: 'b', varied: { 'setting.ratio': 0.2, 'setting.criterion': null }, metrics: {} },
  ])
})
