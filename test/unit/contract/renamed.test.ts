import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jobSchema, runFileSchema, sweepListsSchema } from '../../../engine/contract/index.ts'

const former = {
  kind: 'prune',
  checkpoint: 'model',
  data: ['a.txt'],
  out: 'run',
  rows: 2,
  length: 32,
  activations: 'keep',
  projections: ['q'],
  dtype: 'float16',
  evaluation: { perplexity: { wiki: 'w.txt' }, windows: 3, rows: 'rows.jsonl' },
}
const now = {
  kind: 'prune',
  checkpoint: 'model',
  data: ['a.txt'],
  out: 'run',
  batchSize: 2,
  sequenceLength: 32,
  gradientCheckpointing: 'off',
  targetModules: ['q_proj'],
  outputDtype: 'float16',
  evaluation: { perplexity: { wiki: 'w.txt' }, maxWindows: 3, predictions: 'rows.jsonl' },
}

test('jobs with the names of earlier versions are those with the names of today', () => {
  assert.deepEqual(jobSchema.parse(former), jobSchema.parse(now))
  assert.deepEqual(jobSchema.parse(jobSchema.parse(former)), jobSchema.parse(now))
  const { kind: _, checkpoint, out, ...base } = former
  const sweep = {
    kind: 'sweep',
    checkpoint,
    out,
    base,
    values: { rows: [1, 2], activations: ['keep', 'recompute', 'auto'], evaluation: [{ windows: 2 }, null] },
    variants: [{ clipNorm: 1 }, { evaluation: { shots: 2 } }],
  }
  const parsed = jobSchema.parse(sweep)
  const { kind: __, checkpoint: ___, out: ____, targetModules: _____, ...shared } = now
  assert.ok(parsed.kind === 'sweep')
  assert.deepEqual(parsed.base, { ...shared, targetModules: ['q'] })
  assert.deepEqual(parsed.values, {
    batchSize: [1, 2],
    gradientCheckpointing: ['off', 'on', 'auto'],
    evaluation: [{ maxWindows: 2 }, null],
  })
  assert.deepEqual(parsed.variants, [{ maxGradientNorm: 1 }, { evaluation: { fewShot: 2 } }])
  const { values, variants } = sweepListsSchema.parse({ values: sweep.values, variants: sweep.variants })
  assert.deepEqual([values, variants], [parsed.values, parsed.variants])
})

test('run.json of an earlier version opens', () => {
  const file = {
    version: 1,
    job: former,
    started: '2026-01-01T00:00:00.000Z',
    software: {},
    hardware: { processor: 'p', cores: 1, memoryBytes: 1 },
  }
  assert.deepEqual(runFileSchema.parse(file).job, jobSchema.parse(now))
})

const refused = (job: object, ...path: string[]) => {
  const { error } = jobSchema.safeParse(job)
  assert.deepEqual(
    error?.issues.map((issue) => [issue.path.join('.'), /is given twice/.test(issue.message)]),
    [[path.join('.'), true]],
  )
}

test('a setting that is given by both names is refused, wherever it stands', () => {
  refused({ ...now, rows: 2 }, 'batchSize')
  refused({ ...now, evaluation: { windows: 1, maxWindows: 1 } }, 'evaluation', 'maxWindows')
  const sweep = { kind: 'sweep', checkpoint: 'model', out: 'sweep' }
  refused({ ...sweep, base: { decay: 'linear', learningRateSchedule: 'linear' } }, 'base', 'learningRateSchedule')
  refused({ ...sweep, values: { rows: [1], batchSize: [2] } }, 'values', 'batchSize')
})

test('an old name of one kind of job means nothing to another', () => {
  const merge = { kind: 'merge', checkpoint: 'model', adapter: 'adapter', out: 'out' }
  const merged = jobSchema.parse({ ...merge, dtype: 'float32' })
  assert.ok(merged.kind === 'merge' && merged.outputDtype === 'float32')
  assert.ok(!jobSchema.safeParse({ ...merge, rows: 2 }).success)
  assert.ok(!sweepListsSchema.safeParse([]).success)
  for (const nothing of [null, undefined, 3, 'job', [], {}]) assert.ok(!jobSchema.safeParse(nothing).success)
})
