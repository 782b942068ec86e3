import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { type Ran, sweepSchema } from '../../../engine/contract/index.ts'
import { changedSettings } from '../../../engine/sweeps/changed-settings.ts'
import { expandSweep } from '../../../engine/sweeps/expand.ts'
import { reportText } from '../../../engine/sweeps/report.ts'
import { experimentFlags, experimentJob, experimentSettings } from '../../../scripts/experiments-job.ts'
import { realFlags, realJob } from '../../../scripts/experiments-real-job.ts'

/** The cells of a Markdown table, however wide its columns are. */
const cells = (text: string) =>
  text
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').map((cell) => cell.trim()))

test('docs/experiments.md has every setting of the experiments that is not the default', () => {
  const expected = cells(experimentSettings(experimentJob(experimentFlags([]))))
  const names = expected.map(([, name]) => name)
  for (const name of ['learningRate', 'alpha', 'dropout', 'frequency', 'rank', 'steps', 'ratioOf'])
    assert.ok(names.includes(`\`${name}\``), name)
  const page = readFileSync('docs/experiments.md', 'utf8')
  assert.deepEqual(cells(page.slice(page.indexOf('## The criteria compared'), page.indexOf('Measured on'))), expected)
  const onImages = experimentSettings(experimentJob(experimentFlags(['--vision'])))
  assert.deepEqual(cells(page.slice(page.indexOf('## Criteria compared on images'))), cells(onImages))
})

test('every run of the experiments on a real model and over recipes can begin', () => {
  const real = expandSweep(realJob(realFlags(['--checkpoint', 'resources/sample/model'])))
  const budgets = real.filter(({ job }) => job.budget !== undefined)
  assert.deepEqual([real.length, budgets.length], [18, 5])
  assert.equal(expandSweep(experimentJob(experimentFlags(['--recipes']))).length, 36)
})

test('the report of a sweep has what all runs share that is not the default, and not what they differ in', () => {
  const sweep = sweepSchema.parse({
    kind: 'sweep',
    checkpoint: 'model',
    out: 'sweep',
    base: { data: ['text.txt'], rank: 4, learningRate: 1e-4, evaluation: { window: 64, limit: 5, mode: 'modern' } },
    values: { seed: [0, 1] },
    variants: [
      { ratio: 0.2, alpha: 8 },
      { ratio: 0.5, alpha: 8 },
    ],
  })
  assert.deepEqual(changedSettings(expandSweep(sweep).map(({ job }) => job)), [
    { name: 'data', value: ['text.txt'], standard: undefined },
    { name: 'rank', value: 4, standard: 8 },
    { name: 'alpha', value: 8, standard: 16 },
    { name: 'evaluation.limit', value: 5, standard: undefined },
    { name: 'evaluation.window', value: 64, standard: 128 },
  ])
  const outcome = { sweep, results: [], runs: 4, failures: [], dense: null, examples: [] }
  assert.match(reportText(outcome, [], []), /## Settings\n\n.*\n\n\| setting[^#]*\| `rank` \| `4` \| `8` \|/)
})

const ranBy = (name: string, type: string): Ran => ({
  runner: name === 'Secateur' ? 'secateur' : 'llama.cpp',
  name,
  type,
  device: 'processor',
  threads: 1,
  proof: null,
  why: null,
})

test('the report of a sweep says what wrote its examples, once for all that it wrote', () => {
  const sweep = sweepSchema.parse({ kind: 'sweep', checkpoint: 'model', out: 'sweep', base: { data: ['text.txt'] } })
  const examples = ['dense', 'loraprune', 'magnitude'].map((name) => ({
    name,
    examples: [{ prompt: 'The baker', text: ` of ${name}` }],
    ran: ranBy('llama.cpp', 'f16'),
  }))
  const text = (all: typeof examples) =>
    reportText({ sweep, results: [], runs: 2, failures: [], dense: null, examples: all }, [], [])
  assert.match(text(examples), /\*\*magnitude:\*\*  of magnitude\n\nWritten by llama\.cpp \(f16\)\.\n$/)
  assert.match(
    text(examples.with(2, { ...examples[2]!, ran: ranBy('Secateur', 'bfloat16') })),
    /\n\nWritten by llama\.cpp \(f16\): dense; loraprune\.\n\nWritten by Secateur \(bfloat16\): magnitude\.\n$/,
  )
})
