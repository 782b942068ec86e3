import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RunDetail } from '../../../electron/contract/index.ts'
import { byteTicks } from '../../../renderer/src/format.ts'
import { changeText } from '../../../renderer/src/screens/compare/metric-text.ts'
import { changeOf, metricRows, standing } from '../../../renderer/src/screens/compare/metrics.ts'
import { comparedMetrics } from '../../../renderer/src/screens/compare/dense-columns.ts'
import { firstAxes } from '../../../renderer/src/screens/compare/scatter-axes.ts'
import { comparisonCsv, toMarkdown } from '../../../renderer/src/screens/compare/table.ts'

const result = (acc: number, stderr: number, perplexity: number, after: number): Pick<RunDetail, 'result'> => ({
  result: {
    parameters: { before: 100, after },
    scores: {
      tasks: { piqa: { acc, stderr, n: 100 }, boolq: { acc: 0.5, stderr: 0.03, n: 100 } },
      perplexity: {
        wiki: { value: perplexity, tokens: 10, scored: 10, windows: 1, window: 10, protocol: 'whole windows' },
      },
    },
  },
})

test('the best of each metric is the best in its own direction', () => {
  const rows = metricRows([result(0.7, 0.04, 12, 50), result(0.6, 0.04, 10, 60), { result: null }], (name) => name)
  const row = (key: string) => rows.find((candidate) => candidate.key === key)
  assert.deepEqual(row('task.piqa')?.best, [true, false, false])
  assert.deepEqual(row('perplexity.wiki')?.best, [false, true, false])
  assert.deepEqual(row('parameters')?.best, [true, false, false])
  // All runs that have it are equal: nothing is better.
  assert.deepEqual(row('task.boolq')?.best, [false, false, false])
  assert.equal(row('loss'), undefined)
  // By hand: (0.7 + 0.5) / 2 with sqrt(0.04^2 + 0.03^2) / 2.
  const mean = row('mean')?.values[0]
  assert.ok(mean && Math.abs(mean.value - 0.6) < 1e-12 && Math.abs((mean.error ?? 0) - 0.025) < 1e-12)
  assert.equal(row('mean')?.values[2], null)
})

test('speeds on other programs, or in other types, are not ranked together', () => {
  const ran = { runner: 'llama.cpp', name: 'llama.cpp v1', device: 'a', threads: 1, why: null, proof: null } as const
  const speed = { promptTokensPerSecond: 9, generatedTokensPerSecond: 3 }
  const measured = (more: object) => ({
    result: { scores: { tasks: {}, perplexity: {}, latency: { ...speed, ...more } } },
  })
  const of = (type: string) => measured({ ran: { ...ran, type } })
  const own = measured({ ran: { ...ran, runner: 'secateur', type: 'bfloat16' } })
  const rows = metricRows([measured({}), own, of('f16'), of('q4_k_m')], (name) => name)
  assert.deepEqual(
    rows.map(({ label, values }) => [label, ...values.map((found) => found?.value ?? null)]),
    [
      ['Speed, prompt', 9, 9, null, null],
      ['Speed, generation', 3, 3, null, null],
      ['Speed, prompt, llama.cpp as F16', null, null, 9, null],
      ['Speed, generation, llama.cpp as F16', null, null, 3, null],
      ['Speed, prompt, llama.cpp as Q4_K_M', null, null, null, 9],
      ['Speed, generation, llama.cpp as Q4_K_M', null, null, null, 3],
    ],
  )
})

const value = (of: number, error: number | null) => ({ value: of, error })

test('a tie marks both, and a difference within its standard error is called close', () => {
  assert.deepEqual(standing([value(0.7, 0.02), value(0.7, 0.03), value(0.6, 0.02)], 'higher'), {
    best: [true, true, false],
    close: [false, false, false],
  })
  assert.deepEqual(standing([value(0.7, 0.03), value(0.66, 0.03), null, value(0.69, null)], 'higher'), {
    best: [true, false, false, false],
    close: [false, true, false, false],
  })
  assert.deepEqual(standing([value(1, null), null], 'lower').best, [false, false])
})

const runOf = (id: number, name: string, acc: number, dense?: number) => {
  const own = result(acc, 0.04, 12.5, 50)
  const scoresOf = (of: number) => result(of, 0.04, 10, 100).result!.scores!
  const joined = { from: [], scores: own.result!.scores!, ...(dense && { denseScores: scoresOf(dense) }) }
  const run: Partial<RunDetail> = { id, name, checkpointId: 1, checkpointName: 'base', started: 0, finished: 60_000 }
  return { ...run, joined, ...own } as RunDetail
}

test('a comparison survives a spreadsheet, with numbers as they are, and a Markdown page', () => {
  const data = {
    missing: [],
    runs: [runOf(1, 'first, "half"', 0.7125), runOf(2, '=1+1', 0.6)],
    settings: [{ name: 'learningRate', values: [0.0001, null], differs: true }],
    series: [],
    layers: [
      {
        runId: 1,
        layers: [{ heads: 6, headsOf: 8, keyValueHeads: 3, keyValueHeadsOf: 4, channels: 10, channelsOf: 20 }],
      },
    ],
    samples: [],
    numbers: [],
  }
  const csv = comparisonCsv({ ...data, layers: [data.layers[0]!, { runId: 2, layers: [] }] }, false)
  const lines = csv.split('\r\n')
  assert.match(lines[0]!, /^Section,Name,"?first, ""half"/)
  assert.ok(lines[0]!.endsWith("'=1+1"))
  assert.ok(lines.includes('Metrics,Parameters,50,50'))
  assert.ok(lines.includes('Metrics,PIQA,0.7125,0.6') && lines.includes('Standard errors,PIQA,0.04,0.04'))
  assert.ok(lines.some((line) => line.endsWith(',0.0001,')))
  assert.ok(lines.includes('Kept,"Layer 0, query heads",6,') && lines.includes('Kept,"Layer 0, key/value groups",3,'))
  const withDense = comparisonCsv({ ...data, runs: [runOf(1, 'a', 0.7, 0.8), runOf(2, 'b', 0.6)] }, false).split('\r\n')
  assert.equal(withDense[0], 'Section,Name,Dense,a,b')
  assert.ok(withDense.includes('Metrics,PIQA,0.8,0.7,0.6') && withDense.includes('Metrics,Duration,,60,60'))
  assert.ok(withDense.some((line) => /^Change from dense,PIQA,,-0\.1\d*,$/.test(line)))
  assert.ok(withDense.some((line) => /^Kept of dense,Parameters,,0\.5,$/.test(line)))
  const table = {
    columns: ['', 'a'],
    sections: [{ title: 'Metrics', rows: [{ label: 'a|b', cells: ['two\nlines'] }] }],
  }
  const [title, , head, rule, row] = toMarkdown(table).split('\n')
  assert.deepEqual([title, head, rule, row], ['## Metrics', '|  | a |', '| --- | ---: |', '| a\\|b | two lines |'])
})

test('what changed from the dense checkpoint is told in points, in units and as what is kept', () => {
  const from = (first: number, last: number) => changeOf(value(first, null), value(last, 0.1))!
  const { change, kept } = from(0.8, 0.6)
  assert.deepEqual([changeText('accuracy', change), kept!.toFixed(3)], ['−20.0 points', '0.750'])
  assert.equal(changeText('count', from(100, 150).change), '+50')
  assert.equal(from(0, 1).kept, null)
  assert.equal(changeOf(null, value(1, null)), null)
})

test('runs share a dense column where they agree on it, and only runs are better or worse', () => {
  const agreeing = comparedMetrics([runOf(1, 'a', 0.7, 0.8), runOf(2, 'b', 0.6, 0.8), runOf(3, 'c', 0.5)])
  assert.deepEqual(
    [agreeing.dense.map(({ label, runs }) => [label, runs]), agreeing.baselines],
    [[['Dense', [1, 2]]], [null, 0, 0, null]],
  )
  assert.deepEqual(agreeing.rows.find(({ key }) => key === 'task.piqa')?.best, [false, true, false, false])
  const others = comparedMetrics([
    runOf(1, 'a', 0.7, 0.8),
    { ...runOf(2, 'b', 0.6, 0.8), checkpointId: 2, checkpointName: 'other' },
    runOf(3, 'c', 0.6, 0.9),
  ])
  assert.deepEqual(
    others.dense.map(({ label }) => label),
    ['Dense, base (run 1)', 'Dense, other', 'Dense, base (run 3)'],
  )
})

test('a scatter opens on what most of the runs have, and on nothing where there is none', () => {
  const numbers = [
    { name: 'metric.parametersAfter', runIds: [1, 2, 3] },
    { name: 'metric.meanAccuracy', runIds: [3] },
    { name: 'metric.loss', runIds: [1, 2, 3] },
  ]
  assert.deepEqual(firstAxes(numbers), { x: 'metric.parametersAfter', y: 'metric.loss' })
  const more = [...numbers, { name: 'metric.perplexity.wiki', runIds: [1, 2, 3] }]
  assert.equal(firstAxes(more).y, 'metric.perplexity.wiki')
  assert.deepEqual(firstAxes(numbers.slice(1)), { x: '', y: '' })
})

test('sizes along an axis share a unit and differ where their places do', () => {
  assert.deepEqual(byteTicks([9.05e9, 9.052e9, 9.054e9]), ['9.050 GB', '9.052 GB', '9.054 GB'])
  assert.deepEqual(byteTicks([0, 100e6, 200e6]), ['0 MB', '100 MB', '200 MB'])
  assert.deepEqual(byteTicks([0, 0.5, 1]), ['0.0 B', '0.5 B', '1.0 B'])
  assert.deepEqual(byteTicks([]), [])
})
