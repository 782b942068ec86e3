import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import {
  type EngineEvent,
  evaluateSchema,
  exportGgufSchema,
  type Overall,
  pruneSchema,
} from '../../../engine/contract/index.ts'
import { makeReporter } from '../../../engine/entries/command-line/report.ts'
import { OverallProgress } from '../../../engine/runs/overall.ts'
import { withEarlier } from '../../../electron/services/run-progress.ts'
import { TasksProgress, type TasksState } from '../../../engine/runners/tasks-progress.ts'

const scoring = (secondsLeft: number): EngineEvent => ({
  type: 'overall',
  overall: { phases: [], fraction: 0.25, secondsLeft },
})

test('a sweep tells how many runs are over, and what is left by the pace of those that were worked on', () => {
  let now = 0
  const clock = mock.method(performance, 'now', () => now)
  try {
    const told: TasksState[] = []
    const sizes = new Map(['1-a', '2-b', '3-c', '4-d'].map((name) => [name, 1]))
    const progress = new TasksProgress({ sizes, parallel: 1 }, (state) => void told.push(state))
    // Over from an earlier attempt: its time says nothing.
    progress.begin('1-a')
    progress.end('1-a', false)
    assert.deepEqual([told.at(-1)!.done, told.at(-1)!.secondsLeft], [1, null])
    progress.begin('2-b')
    now = 4000
    progress.hear('2-b', scoring(6))
    // It says that it takes 10 s in all, and two wait that are taken to be like it.
    assert.deepEqual([told.at(-1)!.underWay, told.at(-1)!.active, told.at(-1)!.secondsLeft], [0.4, ['2-b'], 26])
    now = 8000
    progress.end('2-b', true)
    progress.begin('3-c')
    now = 10_000
    progress.hear('3-c', { type: 'overall', overall: { phases: [], fraction: null, secondsLeft: null } })
    // Runs took 8 s, and this one says nothing of itself yet.
    assert.deepEqual([told.at(-1)!.underWay, told.at(-1)!.done, told.at(-1)!.secondsLeft], [0.25, 2, 14])
    now = 12_000
    progress.hear('3-c', scoring(36))
    // It takes longer than those before it: that counts for it, and the one that waits is taken to be like the others.
    assert.deepEqual([told.at(-1)!.underWay, told.at(-1)!.secondsLeft], [0.1, 44])
    // It went on from where an earlier attempt had left it: its four seconds are not those of a whole run.
    progress.end('3-c', false)
    progress.begin('4-d')
    assert.equal(told.at(-1)!.secondsLeft, 8)
  } finally {
    clock.mock.restore()
  }
})

test('tasks of several sizes take as long as those that are over, for their size', () => {
  let now = 0
  const clock = mock.method(performance, 'now', () => now)
  try {
    const told: TasksState[] = []
    const sizes = new Map(Object.entries({ small: 10, large: 30, other: 20 }))
    const progress = new TasksProgress({ sizes, parallel: 2 }, (state) => void told.push(state))
    progress.begin('small')
    progress.begin('large')
    now = 5000
    progress.end('small', true)
    // Half a second for each: 10 s of 15 are left of the large one, and 10 of the other; two are done at a time.
    const { over, underWay, all, secondsLeft } = told.at(-1)!
    assert.deepEqual([over, underWay, all, secondsLeft], [10, 10, 60, 10])
  } finally {
    clock.mock.restore()
  }
})

test('an evaluation in parts says what is left of it as its parts do', () => {
  let now = 0
  const facts = { kind: 'evaluate', checkpoint: 'm', compareWith: 'd', parallel: 2 }
  const progress = new OverallProgress(evaluateSchema.parse({ ...facts, evaluation: {} }), () => now)
  progress.hear({ type: 'phase', phase: 'scoring' })
  now = 1
  progress.hear({ type: 'progress', stage: 'scoring', done: 15, total: 60, secondsLeft: 30 })
  assert.deepEqual(said(progress.overall), { fraction: 0.25, secondsLeft: 30 })
  const { phases } = progress.overall
  assert.deepEqual([phases.length, phases[0]!.phase], [1, 'scoring'])
})

const job = pruneSchema.parse({
  kind: 'prune',
  checkpoint: 'model',
  data: ['text.txt'],
  out: 'run',
  ratio: 0.5,
  evaluateDense: true,
  evaluation: { tasks: { arc_easy: 'easy.jsonl', piqa: 'piqa.jsonl' } },
})
const scored = (item: string, done: number, stage: 'scoring dense' | 'scoring' = 'scoring dense'): EngineEvent => ({
  type: 'progress',
  stage,
  done,
  total: 10,
  item,
  parts: { done: item === 'arc_easy' ? 0 : 1, total: 2 },
})
const step = (at: number): EngineEvent => ({
  type: 'step',
  steps: 100,
  tokensPerSecond: 1,
  secondsLeft: 1,
  memoryBytes: 1,
  metrics: { step: at, loss: 1, learningRate: 1, gradientNorm: 1, tokens: 1 },
})
const items = { arc_easy: 300, piqa: 100 }
const work: EngineEvent = {
  type: 'work',
  phases: {
    'scoring dense': { operations: 400, seconds: 0, items },
    reading: { operations: 0, seconds: 4 },
    training: { operations: 1200, seconds: 0 },
    writing: { operations: 0, seconds: 6 },
    scoring: { operations: 200, seconds: 0, items },
    comparing: { operations: 40, seconds: 0 },
  },
}
const said = ({ fraction, secondsLeft }: Overall) => ({
  fraction: fraction === null ? null : Number(fraction.toFixed(4)),
  secondsLeft: secondsLeft === null ? null : Number(secondsLeft.toFixed(4)),
})

test('a run says what is left of it as a whole once it has a pace, by the work of what is to come', () => {
  let now = 0
  const progress = new OverallProgress(job, () => now)
  assert.deepEqual(said(progress.overall), { fraction: null, secondsLeft: null })
  progress.hear(work)
  progress.hear({ type: 'phase', phase: 'scoring dense' })
  progress.hear(scored('arc_easy', 0))
  now = 0.2
  progress.hear(scored('arc_easy', 1))
  // The first moments say nothing: no number is made up.
  assert.deepEqual(said(progress.overall), { fraction: null, secondsLeft: null })
  now = 15
  progress.hear(scored('arc_easy', 10))
  // Three quarters of the questions took 15 s: 20 operations a second. Waiting are 5, 4, 60, 6, 10 and 2 seconds.
  assert.deepEqual(said(progress.overall), { fraction: Number((15 / 102).toFixed(4)), secondsLeft: 87 })
  now = 20
  progress.hear({ type: 'phase', phase: 'reading' })
  now = 24
  progress.hear({ type: 'phase', phase: 'training' })
  progress.hear(step(1))
  now = 26
  progress.hear(step(2))
  // A step takes a second: the training has a pace of its own, and scoring that of the dense checkpoint.
  assert.deepEqual(said(progress.overall), { fraction: Number((26 / 142).toFixed(4)), secondsLeft: 98 + 18 })
  const { phases } = progress.overall
  assert.deepEqual(
    phases.map(({ phase, state, seconds }) => [phase, state, seconds]),
    [
      ['scoring dense', 'done', 20],
      ['reading', 'done', 4],
      ['training', 'active', 2],
      ['writing', 'waiting', null],
      ['scoring', 'waiting', null],
      ['comparing', 'waiting', null],
    ],
  )
})

const overallWith = (dense: number | null, training: number): Overall => ({
  phases: [
    { phase: 'scoring dense', state: 'done', seconds: dense },
    { phase: 'training', state: 'active', seconds: training },
    { phase: 'writing', state: 'waiting', seconds: null },
  ],
  fraction: 0.5,
  secondsLeft: 10,
})
const secondsOf = ({ phases }: Overall) => phases.map(({ seconds }) => seconds)

test('the phases of a run that was resumed have the time of all attempts', () => {
  assert.deepEqual(secondsOf(withEarlier(overallWith(null, 3), null)), [null, 3, null])
  assert.deepEqual(secondsOf(withEarlier(overallWith(null, 3), overallWith(9, 7))), [9, 10, null])
})

test('an export says what is left of it with its proof, and a calibration is a part of its writing', () => {
  let now = 0
  const given = { kind: 'export', format: 'gguf', type: 'q4_0', checkpoint: 'm', out: 'm.gguf', calibrate: 't.txt' }
  const progress = new OverallProgress(exportGgufSchema.parse(given), () => now)
  const writing = { operations: 0, seconds: 10, items: { calibrating: 8, writing: 2 } }
  progress.hear({ type: 'work', phases: { writing, proving: { operations: 0, seconds: 5 } } })
  progress.hear({ type: 'phase', phase: 'writing' })
  progress.hear({ type: 'progress', stage: 'calibrating', done: 0, total: 4 })
  assert.deepEqual(said(progress.overall), { fraction: 0, secondsLeft: 15 })
  now = 8
  progress.hear({ type: 'progress', stage: 'calibrating', done: 4, total: 4 })
  assert.deepEqual(said(progress.overall), { fraction: Number((8 / 15).toFixed(4)), secondsLeft: 7 })
  now = 9
  progress.hear({ type: 'progress', stage: 'writing', done: 1, total: 2 })
  assert.deepEqual(said(progress.overall), { fraction: 0.6, secondsLeft: 6 })
})

test('the command line says of a part how far it is, and of the run where that has more of them', () => {
  let now = 0
  const clock = mock.method(performance, 'now', () => now)
  const lines: string[] = []
  const written = mock.method(process.stderr, 'write', (text: string) => lines.push(text) > 0)
  try {
    const reporter = makeReporter({ json: false, terminal: false })
    const tell = (phases: Overall['phases']) =>
      reporter.event({ type: 'overall', overall: { phases, fraction: 0.25, secondsLeft: 90 } })
    const progress = (done: number) => reporter.event({ type: 'progress', stage: 'scoring', done, total: 10 })
    const phase = { state: 'active', seconds: 3 } as const
    progress(0)
    tell([{ phase: 'scoring', ...phase }])
    now = 3000
    progress(5)
    tell([
      { phase: 'reading', ...phase },
      { phase: 'scoring', ...phase },
    ])
    now = 6000
    progress(6)
    tell([{ phase: 'scoring', ...phase }])
    for (const done of [0, 0.5]) {
      const task = {
        type: 'progress',
        stage: 'scoring',
        item: 'piqa',
        done,
        total: 1,
        parts: { done: 0, total: 3 },
      } as const
      reporter.event(task)
      now += 3000
      reporter.event(task)
    }
    tell([{ phase: 'sweeping', ...phase }])
    const runs = {
      type: 'progress',
      stage: 'sweeping',
      item: 'one, two',
      done: 1.5,
      total: 6,
      secondsLeft: 40,
    } as const
    reporter.event(runs)
    now += 3000
    reporter.event(runs)
  } finally {
    written.mock.restore()
    clock.mock.restore()
  }
  assert.deepEqual(lines, [
    'scoring 50% 3 s left\n',
    'scoring 60% 4 s left (run: 25%, 1 min 30 s left)\n',
    // Nothing is done of it yet.
    'piqa 0% (run: 25%, 1 min 30 s left)\n',
    'piqa 50% 6 s left (run: 25%, 1 min 30 s left)\n',
    'one, two 25% 40 s left\n',
  ])
})

test('a run that goes on counts what an earlier attempt has done, and times only what this one does', () => {
  let now = 0
  const progress = new OverallProgress(job, () => now)
  progress.hear(work)
  progress.hear({ type: 'phase', phase: 'scoring dense' })
  progress.hear({ type: 'phase', phase: 'reading' })
  now = 4
  progress.hear({ type: 'phase', phase: 'training' })
  now = 6
  progress.hear(step(51))
  now = 14
  progress.hear(step(55))
  // Five steps in ten seconds: 200 s in all, 90 left; dense, scoring and comparing at 6 operations a second.
  const whole = 400 / 6 + 4 + 200 + 6 + 200 / 6 + 40 / 6
  const left = 90 + 6 + 200 / 6 + 40 / 6
  assert.deepEqual(said(progress.overall), {
    fraction: Number((1 - left / whole).toFixed(4)),
    secondsLeft: Number(left.toFixed(4)),
  })
  // A pace that slows down takes nothing back.
  const before = progress.overall.fraction!
  now = 500
  progress.hear(step(56))
  assert.ok(progress.overall.fraction! >= before)
})
