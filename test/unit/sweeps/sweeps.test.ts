import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ResultEvent, sweepPreset, sweepPresets, sweepSchema } from '../../../engine/contract/index.ts'
import { rowCounts } from '../../../engine/data/calibration.ts'
import { rankCorrelation } from '../../../engine/jobs/measure.ts'
import { drawChart, niceTicks } from '../../../engine/sweeps/chart.ts'
import { expandSweep, planSweep } from '../../../engine/sweeps/expand.ts'
import { figuresOf } from '../../../engine/sweeps/figures.ts'
import { metricsOf, type RunResult, statistic, summaryRows } from '../../../engine/sweeps/summary.ts'
import { markdownTable, runsCsv, summaryCsv } from '../../../engine/sweeps/table.ts'

const sweepOf = (more: object) =>
  sweepSchema.parse({ kind: 'sweep', checkpoint: 'model', out: 'sweep', base: { data: ['text.txt'] }, ...more })

test('a sweep is every combination of values with every variant, seeds as they are written', () => {
  const runs = expandSweep(
    sweepOf({
      values: { seed: [0, 1], ratio: [0.2, 0.5] },
      variants: [{ criterion: 'loraprune' }, { criterion: 'depth', schedule: 'one-shot' }],
    }),
  )
  assert.equal(runs.length, 8)
  assert.deepEqual(runs[3]!.varied, { criterion: 'depth', schedule: 'one-shot', seed: 0, ratio: 0.5 })
  assert.deepEqual(runs[0]!.varied, { criterion: 'loraprune', schedule: 'iterative', seed: 0, ratio: 0.2 })
  assert.equal(runs[3]!.job.lambda, 0.9)
  assert.equal(new Set(runs.map(({ name }) => name)).size, 8)
  for (const { name } of runs) assert.match(name, /^[\w.-]+$/)
})

test('every preset makes runs of a base that says no more than its data', () => {
  for (const preset of sweepPreset.options) assert.ok(expandSweep(sweepOf({ preset })).length > 1, preset)
  const memory = expandSweep(sweepOf({ preset: 'memory', base: { data: ['a'], evaluation: {} } }))
  assert.deepEqual(
    memory.map(({ job }) => [job.criterion, job.healing, job.evaluation]),
    [
      ['loraprune', false, undefined],
      ['gradient', false, undefined],
    ],
  )
  const speed = expandSweep(sweepOf({ preset: 'speed', base: { data: ['a'], evaluation: { window: 64 } } }))
  assert.deepEqual([speed[0]!.job.evaluation!.window, speed[0]!.job.evaluation!.latency], [64, true])
})

test('a plan says how many runs come, and whose lists set what', () => {
  const plan = planSweep({ preset: 'criteria', values: { seed: [5] }, variants: [] })
  assert.equal(plan.runs, 2 * 8 * 2)
  const from = Object.fromEntries(plan.settings.map(({ name, from: whose, values }) => [name, [whose, values]]))
  assert.deepEqual(from['seed'], ['values', [5]])
  assert.deepEqual(from['ratio'], ['preset', [0.2, 0.5]])
  assert.deepEqual(from['schedule'], ['variants', [null, 'one-shot']])
  const memory = planSweep({ preset: 'memory', values: {}, variants: [] })
  assert.deepEqual(memory.base, { schedule: 'one-shot', healing: false })
  const speed = planSweep({ preset: 'speed', values: {}, variants: [] })
  assert.equal(speed.base['evaluation.latency'], true)
  for (const [name, { scores }] of Object.entries(sweepPresets)) {
    const { evaluation } = expandSweep(sweepOf({ preset: name, base: { data: ['a'] } }))[0]!.job
    assert.equal(evaluation === undefined, scores !== 'possible', name)
  }
})

test('what is wrong in a sweep is named, with the run that it is wrong in', () => {
  assert.throws(() => expandSweep(sweepOf({ values: { ratio: [0.5, 2] } })), /base\.ratio.*ratio 2/)
  assert.throws(() => expandSweep(sweepOf({ base: { data: ['a'], ration: 1 } })), /ration/)
  const replaced = sweepOf({ base: { data: ['a'], targetFraction: 0.5 }, values: { ratio: [0.2, 0.5] } })
  const budgets = sweepOf({
    base: { data: ['a'], ratioOf: 'parameters' },
    variants: [{}, { budget: 'parameters=0.5' }],
  })
  assert.throws(
    () => expandSweep(budgets),
    /ratioOf: says how much is pruned, as the budget does.*\(in the run with budget "parameters=0.5"\)/,
  )
  assert.throws(() => expandSweep(replaced), /base\.targetFraction: is used in place of the ratio/)
  assert.throws(() => expandSweep(sweepOf({ values: { seed: Array.from({ length: 10_001 }, () => 0) } })), /10001 runs/)
})

const results: RunResult[] = [
  { name: '1', varied: { criterion: 'one', seed: 0 }, metrics: { 'perplexity a': 10, boolq: 0.5 } },
  { name: '2', varied: { criterion: 'one', seed: 1 }, metrics: { 'perplexity a': 14, boolq: 0.7 } },
  { name: '3', varied: { criterion: 'two, "three"', seed: 0 }, metrics: { 'perplexity a': 1000 } },
]

test('tables give mean and deviation over seeds, and CSV quotes what it must', () => {
  assert.deepEqual(statistic([10, 14]), { mean: 12, deviation: Math.sqrt(8), n: 2 })
  const rows = summaryRows(results)
  assert.equal(
    markdownTable(rows, { 'perplexity a': 5 }),
    [
      '| criterion | perplexity a | boolq (%) |',
      '| --- | ---: | ---: |',
      '| dense | 5.00 |  |',
      '| one | 12.00 ± 2.83 | 60.0 ± 14.1 |',
      '| two, "three" | 1000 |  |',
    ].join('\n'),
  )
  const [heading, first, second] = summaryCsv(rows).split('\r\n')
  assert.equal(heading, 'criterion,runs,perplexity a mean,perplexity a deviation,boolq mean,boolq deviation')
  assert.match(first!, /^one,2,12,2\.828/)
  assert.equal(second, '"two, ""three""",1,1000,,,')
  assert.equal(runsCsv(results, null).split('\r\n')[1], 'one,0,10,0.5')
})

test('a result gives its columns', () => {
  const result: ResultEvent = {
    type: 'result',
    parameters: { before: 10, after: 5 },
    tasks: { boolq: { acc: 0.5, stderr: null, n: 2 }, piqa: { acc: 1, stderr: null, n: 2 } },
    density: { before: 0.5, after: 1 },
    besideDense: {
      tasks: {
        boolq: { n: 2, rightToWrong: 1, wrongToRight: 0, difference: -0.5, stderr: null, p: 1 },
        piqa: { n: 2, rightToWrong: 0, wrongToRight: 0, difference: 0, stderr: null, p: 1 },
      },
      texts: { a: { divergence: 0.25, stderr: null, agreement: 0.75, tokens: 8, windows: 1 } },
    },
    latency: {
      promptTokensPerSecond: 1,
      generatedTokensPerSecond: 2,
      byLength: [{ prompt: 32, promptTokensPerSecond: 1, generatedTokensPerSecond: 2 }],
    },
    loss: null,
  }
  assert.deepEqual(metricsOf(result, 7), {
    parameters: 5,
    'multiply-adds': 7,
    'mean accuracy': 0.75,
    boolq: 0.5,
    piqa: 1,
    flips: 0.25,
    'KL a': 0.25,
    'same token a': 0.75,
    'density before merging': 0.5,
    'density after merging': 1,
    'prompt of 32, tokens/s': 1,
    'generation after 32, tokens/s': 2,
  })
})

test('images a second are a speed, and no share', () => {
  const table = markdownTable(summaryRows([{ ...results[0]!, metrics: { 'top-1': 0.5, 'images/s': 1234.4 } }]), null)
  assert.match(table, /top-1 \(%\) +\| images\/s +\|/)
  assert.match(table, /50\.0 +\| 1,234 +\|/)
})

test('charts are well-formed, with a mark for every value', () => {
  const rows = summaryRows(results)
  const [figure] = figuresOf(rows, { 'perplexity a': 5 })
  assert.equal(figure!.name, 'perplexity-a')
  // Two bars, and the two values of one differ in error bars: the other has one run.
  assert.equal(figure!.svg.match(/<rect /g)!.length, 2)
  assert.match(figure!.svg, /two, &quot;three&quot;/)
  const lines = drawChart({
    title: 'a < b',
    xLabel: 'x',
    yLabel: 'y',
    series: ['one', 'two'].map((name, index) => ({
      name,
      points: [1, 2, 3].map((x) => ({ x, y: x + index, error: 0.5 })),
    })),
  })
  assert.equal(lines.match(/<circle /g)!.length, 6)
  assert.match(lines, /a &lt; b/)
  for (const svg of [figure!.svg, lines]) {
    assert.doesNotMatch(svg, /NaN|undefined|Infinity/)
    const opened = [...svg.matchAll(/<(\w+)(?:\s[^>]*)?(?<!\/)>/g)].map(([, name]) => name)
    assert.deepEqual(opened.sort(), [...svg.matchAll(/<\/(\w+)>/g)].map(([, name]) => name).sort())
  }
  assert.deepEqual(niceTicks(0, 23), [0, 5, 10, 15, 20, 25])
})

test('calibration rows are shared out to the last one', () => {
  assert.deepEqual(rowCounts(10, [0.7, 0.3]), [7, 3])
  assert.deepEqual(rowCounts(10, [1, 1, 1]), [4, 3, 3])
  assert.deepEqual(rowCounts(1, [1, 2]), [0, 1])
})

test('rank correlation is 1 for the same order and -1 for the opposite one', () => {
  assert.equal(rankCorrelation(Float32Array.of(1, 2, 3), Float32Array.of(2, 5, 9)), 1)
  assert.equal(rankCorrelation(Float32Array.of(1, 2, 3), Float32Array.of(3, 2, 1)), -1)
})
