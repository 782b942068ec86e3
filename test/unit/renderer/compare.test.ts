import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RunDetail } from '../../../electron/contract/index.ts'
import { byteTicks } from '../../../renderer/src/format.ts'
import { metricRows, standing } from '../../../renderer/src/screens/compare/metrics.ts'
import { toCsv, toMarkdown } from '../../../renderer/src/screens/compare/table.ts'

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

test('a comparison survives a spreadsheet and a Markdown page', () => {
  const table = {
    columns: ['', 'first, "half"', '=1+1'],
    sections: [{ title: 'Metrics', rows: [{ label: 'a|b', cells: ['-0.5', 'two\nlines'] }] }],
  }
  assert.equal(toCsv(table), 'Section,,"first, ""half""",\'=1+1\r\nMetrics,a|b,-0.5,"two\nlines"\r\n')
  const [title, , head, rule, row] = toMarkdown(table).split('\n')
  assert.equal(title, '## Metrics')
  assert.equal(head, '|  | first, "half" | =1+1 |')
  assert.equal(rule, '| --- | ---: | ---: |')
  assert.equal(row, '| a\\|b | -0.5 | two lines |')
})

test('sizes along an axis share a unit and differ where their places do', () => {
  assert.deepEqual(byteTicks([9.05e9, 9.052e9, 9.054e9]), ['9.050 GB', '9.052 GB', '9.054 GB'])
  assert.deepEqual(byteTicks([0, 100e6, 200e6]), ['0 MB', '100 MB', '200 MB'])
  assert.deepEqual(byteTicks([0, 0.5, 1]), ['0.0 B', '0.5 B', '1.0 B'])
  assert.deepEqual(byteTicks([]), [])
})
