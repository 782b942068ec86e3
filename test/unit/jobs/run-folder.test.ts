import assert from 'node:assert/strict'
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { writeSafetensors } from '../../../engine/checkpoint/safetensors-writer.ts'
import {
  type EvaluateJob,
  evaluateSchema,
  finetuneSchema,
  type PruneJob,
  pruneSchema,
  type RunFile,
  sweepSchema,
} from '../../../engine/contract/index.ts'
import { asStarted } from '../../../engine/runs/as-started.ts'
import { replacedBy } from '../../../engine/runs/output-files.ts'
import { longestLine } from '../../../engine/runs/journal.ts'
import { runFiles } from '../../../engine/runs/run-files.ts'
import { inRunFolder, RunFolder } from '../../../engine/runs/run-folder.ts'
import { isLocked, lockName, RunLock } from '../../../engine/runs/run-lock.ts'
import { SecateurError } from '../../../engine/shared/errors.ts'

const folder = mkdtempSync(join(tmpdir(), 'secateur-run-folder-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const job = finetuneSchema.parse({ kind: 'finetune', checkpoint: 'model', data: ['text.txt'], out: folder })

function folderWith(name: string, content: string): string {
  const path = mkdtempSync(join(folder, 'run-'))
  writeFileSync(join(path, name), content)
  return path
}

const scored = (evaluation: object, changes: object = {}) =>
  pruneSchema.parse({ kind: 'prune', checkpoint: 'model', data: ['text.txt'], out: folder, evaluation, ...changes })

const reopens = (first: PruneJob, second: PruneJob) => {
  const path = mkdtempSync(join(folder, 'spelt-'))
  RunFolder.create(path, first).close()
  RunFolder.open(path, second).close()
}

test('a run is continued by what its settings come to, and not by how they are spelt', () => {
  const tasks = { boolq: 'boolq.jsonl', mmlu: 'mmlu' }
  const { boolq } = tasks
  reopens(scored({ tasks: { boolq }, fewShot: 0 }), scored({ tasks: { boolq } }))
  reopens(scored({ tasks: { boolq } }), scored({ tasks: { boolq }, fewShot: 0 }))
  reopens(scored({ tasks: { mmlu: 'mmlu' } }), scored({ tasks: { mmlu: 'mmlu' }, fewShot: 5 }))
  reopens(scored({ tasks: {} }, { budget: 'memory=1GB', ratio: 0.3 }), scored({ tasks: {} }, { budget: 'memory=1GB' }))
  assert.throws(() => reopens(scored({ tasks, fewShot: 0 }), scored({ tasks })), /as it was started/)
  assert.throws(() => reopens(scored({ tasks: { own: 'a.json' } }), scored({ tasks: { own: 'a.json' }, fewShot: 0 })))
})

test('a run is continued by the files that its paths name, however these are spelt', () => {
  const here = process.cwd()
  const tasks = { boolq: 'boolq.jsonl' }
  const other = { checkpoint: './model/', data: [join(here, 'text.txt')], validation: 'a/../held.txt' }
  const spelt = { tasks: { boolq: './a/../boolq.jsonl' } }
  reopens(scored({ tasks }, { validation: 'held.txt' }), scored(spelt, other))
  const path = mkdtempSync(join(folder, 'absolute-'))
  RunFolder.create(path, scored({ tasks }, { validation: 0.1 })).close()
  const written = RunFolder.jobOf(path) as PruneJob
  assert.equal(written.checkpoint, join(here, 'model'))
  assert.deepEqual(written.data, [join(here, 'text.txt')])
  assert.deepEqual(written.evaluation!.tasks, { boolq: join(here, 'boolq.jsonl') })
  assert.throws(() => RunFolder.open(path, scored({ tasks }, { checkpoint: 'model2' })), /checkpoint: .*not "model2"/)
  const cluster = { via: 'ssh://lab', remote: '/sweep', secateur: '/secateur' }
  const far = { kind: 'sweep', checkpoint: 'models/a', out: mkdtempSync(join(folder, 'far-')), cluster }
  RunFolder.create(far.out, sweepSchema.parse(far)).close()
  assert.equal((RunFolder.jobOf(far.out) as { checkpoint: string }).checkpoint, 'models/a', 'is a path of the cluster')
})

test('what an evaluation over ssh writes here is one file, wherever it is continued', (context) => {
  const cluster = { via: 'ssh://lab', remote: '/sweep', secateur: '/secateur' }
  const evaluation = { tasks: { boolq: 'data/boolq.jsonl' }, predictions: 'rows.jsonl', lmEvalJson: 'lm-eval.json' }
  const far = evaluateSchema.parse({ kind: 'evaluate', checkpoint: 'models/a', cluster, evaluation })
  const [start, elsewhere] = ['start-', 'elsewhere-'].map((name) => realpathSync(mkdtempSync(join(folder, name))))
  const out = join(start!, 'scores')
  const here = process.cwd()
  context.after(() => process.chdir(here))
  process.chdir(start!)
  RunFolder.create(out, { ...far, out: 'scores' }).close()
  const kept = RunFolder.jobOf(out) as EvaluateJob
  assert.deepEqual([kept.checkpoint, kept.evaluation.tasks, kept.out], ['models/a', far.evaluation.tasks, out])
  assert.equal(kept.evaluation.predictions, join(start!, 'rows.jsonl'))
  assert.equal(kept.evaluation.lmEvalJson, join(start!, 'lm-eval.json'))
  RunFolder.open(out, { ...far, out }).close()

  process.chdir(elsewhere!)
  assert.throws(() => RunFolder.open(out, { ...far, out }), /a run is continued as it was started/)
  const same = { ...evaluation, predictions: join(start!, 'rows.jsonl'), lmEvalJson: '../x/../lm-eval.json' }
  process.chdir(join(start!, 'scores'))
  RunFolder.open(out, { ...evaluateSchema.parse({ ...far, evaluation: same }), out }).close()
})

test('relative paths of a run of an earlier version mean what they meant where it was started', () => {
  const start = realpathSync(mkdtempSync(join(folder, 'earlier-')))
  const path = join(start, 'runs', 'a')
  const relativePaths = scored({ tasks: { boolq: 'boolq.jsonl' }, predictions: 'rows.jsonl' }, { out: './runs/a/' })
  RunFolder.create(path, relativePaths).close()
  const file = join(path, runFiles.run)
  const run = JSON.parse(readFileSync(file, 'utf8')) as RunFile
  const keep = (kept: PruneJob) => writeFileSync(file, JSON.stringify({ ...run, job: kept }))
  keep(relativePaths)
  const meant = RunFolder.jobOf(path) as PruneJob
  assert.deepEqual([meant.out, meant.data], [path, [join(start, 'text.txt')]])
  assert.equal(meant.evaluation!.predictions, join(start, 'rows.jsonl'))
  assert.ok(replacedBy({ out: path })(join(start, 'rows.jsonl')))
  assert.ok(!replacedBy({ out: path })('rows.jsonl'))
  assert.throws(() => RunFolder.open(path, { ...relativePaths, out: path }), /a run is continued as it was started/)
  RunFolder.open(path, { ...meant, out: path }).close()

  // Where it was started is not known.
  for (const out of [path, '../runs/a', 'b', 'x/runs/a']) {
    keep({ ...relativePaths, out })
    assert.equal((RunFolder.jobOf(path) as PruneJob).evaluation!.predictions, 'rows.jsonl', out)
  }
  keep({ ...relativePaths, out: '.' })
  assert.equal((RunFolder.jobOf(path) as PruneJob).evaluation!.predictions, join(path, 'rows.jsonl'))
})

test('a run of an earlier version goes on with its own settings where a job leaves them to defaults', () => {
  const path = mkdtempSync(join(folder, 'earlier-'))
  const tasks = { mmlu: 'mmlu' }
  RunFolder.create(path, scored({ tasks, fewShot: 0 }, { dropout: 0.1, seed: 3, out: path })).close()
  const now = scored({ tasks }, { seed: 3, out: path })
  const file = join(path, runFiles.run)
  const run = JSON.parse(readFileSync(file, 'utf8')) as { software: object }
  assert.deepEqual(asStarted(now, { resume: true }), { job: now, kept: [] }, 'of this version')
  writeFileSync(file, JSON.stringify({ ...run, software: { ...run.software, secateur: '0.0.1' } }))
  const { job: going, kept } = asStarted(now, { resume: true })
  assert.deepEqual(kept, ['dropout', 'fewShot'])
  assert.deepEqual(going, { ...now, dropout: 0.1, evaluation: { ...now.evaluation, fewShot: 0 } })
  RunFolder.open(path, { ...going, out: path } as PruneJob).close()
  assert.deepEqual(asStarted(now, { resume: false }), { job: now, kept: [] })
  const other = asStarted(scored({ tasks }, { seed: 4, dropout: 0.2, out: path }), { resume: true }).job as PruneJob
  assert.throws(() => RunFolder.open(path, other), /started with 0\.1, not 0\.2/)
})

test('a folder with nothing but the lock of a process that is gone takes a run', () => {
  RunFolder.create(folderWith(lockName, ''), job).close()
})

test('what a kill before the first whole run.json leaves is started anew, also where it is to be resumed', async () => {
  const lock = { host: hostname(), pid: 2 ** 30, taken: new Date().toISOString(), process: '1' }
  const left: Record<string, string> = {
    [lockName]: JSON.stringify(lock),
    'run.json.999999.partial': '{"ver',
    'lock.json.999998.partial': '',
    'lock.json.999997.stale': '',
  }
  const cases = [[], [lockName], [lockName, 'run.json.999999.partial'], Object.keys(left)]
  for (const names of cases)
    for (const resume of [false, true]) {
      const out = mkdtempSync(join(folder, 'begun-'))
      for (const name of names) writeFileSync(join(out, name), left[name]!)
      const context = { resume, signal: new AbortController().signal, emit: () => {} }
      await inRunFolder({ ...job, out }, context, async ({ path }) => {
        assert.deepEqual(readdirSync(path).sort(), [lockName, 'run.json'])
        return { type: 'result' }
      })
      assert.deepEqual(readdirSync(out).sort(), ['attempts.json', 'result.json', 'run.json'])
    }
  assert.throws(() => RunFolder.create(folderWith('holiday.jpg.1.partial', ''), job), /holds something already/)
})

test('a lock is held as long as its process is the one that took it, whatever the clock says', () => {
  const path = mkdtempSync(join(folder, 'lock-'))
  const mine = RunLock.take(path)
  const file = join(path, lockName)
  const lock = JSON.parse(readFileSync(file, 'utf8')) as { taken: string; process: string | null }
  const write = (changes: object) => writeFileSync(file, JSON.stringify({ ...lock, ...changes }))
  write({ taken: '2001-01-01T00:00:00.000Z' })
  // Only Linux says when a process started.
  assert.equal(isLocked(path), lock.process !== null)
  if (lock.process !== null) assert.throws(() => RunLock.take(path), /is writing the run in/)
  write({ process: '1' })
  assert.equal(isLocked(path), lock.process === null)
  write({ process: null, taken: '2001-01-01T00:00:00.000Z' })
  assert.equal(isLocked(path), false)
  mine.release()
})

test('a lock of another computer is taken over only where the scheduler says that its task is over', () => {
  const path = mkdtempSync(join(folder, 'lock-'))
  const programs = mkdtempSync(join(folder, 'programs-'))
  const lock = { host: 'n1.elsewhere', pid: 7, taken: new Date().toISOString(), process: '1', job: '17_3' }
  const write = (changes: object) => writeFileSync(join(path, lockName), JSON.stringify({ ...lock, ...changes }))
  const before = { ...process.env }
  const says = (text: string) =>
    writeFileSync(join(programs, 'scontrol'), `#!/bin/sh\n${text}\n`, { mode: 0o755, flag: 'w' })
  try {
    process.env['PATH'] = `${programs}:${before['PATH']}`
    write({})
    for (const words of ['echo JobId=20 JobState=RUNNING', 'echo "Unable to contact slurm controller" >&2; exit 1']) {
      says(words)
      assert.throws(() => RunLock.take(path), /process 7 on n1\.elsewhere \(task 17_3 of Slurm\) is writing the run/)
    }
    for (const words of ['echo JobId=20 JobState=NODE_FAIL', 'echo "Invalid job id specified" >&2; exit 1']) {
      says(words)
      write({})
      RunLock.take(path).release()
    }
    says('exit 1')
    write({ job: null })
    assert.throws(() => RunLock.take(path), /if none runs there any more, remove/)
    // The task itself, started again: Slurm does that once the start before is over.
    Object.assign(process.env, { SLURM_ARRAY_JOB_ID: '17', SLURM_ARRAY_TASK_ID: '3' })
    write({})
    const taken = RunLock.take(path)
    assert.deepEqual(JSON.parse(readFileSync(join(path, lockName), 'utf8')).job, '17_3')
    assert.equal(taken.isLost, false)
    write({})
    assert.equal(taken.isLost, true)
  } finally {
    process.env = before
  }
})

test('a folder with a file of something else is refused', () => {
  for (const name of ['result.json', 'holiday.jpg'])
    assert.throws(() => RunFolder.create(folderWith(name, '{}'), job), /holds something already/)
})

test('a run that an earlier version began is continued by the settings that it has now', () => {
  const path = mkdtempSync(join(folder, 'run-'))
  RunFolder.create(path, job).close()
  const file = join(path, 'run.json')
  const former = readFileSync(file, 'utf8')
    .replace('"batchSize"', '"rows"')
    .replace('"gradientCheckpointing"', '"activations"')
  assert.match(former, /"rows".*"activations"/s)
  writeFileSync(file, former)
  RunFolder.open(path, job).close()
  assert.throws(
    () => RunFolder.open(path, { ...job, batchSize: 9 }),
    /batchSize: the run in .* was started with 4, not 9/,
  )
})

const values = () =>
  new Map([
    ['adapter.0.q.a', { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) }],
    ['mask.0.heads', { shape: [2], data: Float32Array.of(0, 1) }],
  ])

test('a saved state that is not what was saved is called damaged, whichever byte of it differs', () => {
  const run = RunFolder.create(mkdtempSync(join(folder, 'run-')), job)
  run.save(7, values())
  assert.deepEqual(run.load(), { step: 7, values: values() })
  const file = join(run.path, runFiles.state)
  const whole = readFileSync(file)
  const headerEnd = 8 + Number(whole.readBigUInt64LE(0))
  const places = [
    whole.indexOf('"7"') + 1,
    whole.indexOf('"step"') + 1,
    whole.indexOf('adapter.0'),
    headerEnd,
    whole.length - 1,
  ]
  for (const place of [...places, ...Array.from({ length: whole.length }, (_, at) => at)]) {
    const damaged = Buffer.from(whole)
    damaged[place]! ^= 1
    writeFileSync(file, damaged)
    const { length } = damaged
    assert.throws(
      () => run.load(),
      (error) => error instanceof SecateurError && error.file === file,
      `byte ${place} of ${length}: ${String(damaged)}`,
    )
  }
  writeFileSync(file, whole)
  run.close()
})

test('a state of a version that kept no checksum is read, unless it holds what is no number', () => {
  const run = RunFolder.create(mkdtempSync(join(folder, 'run-')), job)
  const file = join(run.path, runFiles.state)
  const save = (number: number) => {
    const data = Float32Array.of(1, number)
    const bytes = new Uint8Array(data.buffer)
    writeSafetensors(file, [{ name: 'first.0.q.a', dtype: 'float32', shape: [2], bytes }], { step: '3' })
  }
  save(2)
  assert.equal(run.load()!.step, 3)
  for (const number of [NaN, Infinity, -Infinity]) {
    save(number)
    assert.throws(
      () => run.load(),
      new RegExp(`state.safetensors: first.0.q.a: holds ${number} as value 1: the saved state is damaged`),
    )
  }
  run.save(4, new Map([['second.0.q.b', { shape: [1], data: Float32Array.of(NaN) }]]))
  assert.throws(() => run.load(), /second.0.q.b: holds NaN as value 0: training had diverged when it was saved/)
  run.close()
})

const line = (step: number) => `${JSON.stringify({ step, prompt: 'a', text: 'b' })}\n`

test('lines of a journal that are none are told of when the run goes on; one that was cut short is not', () => {
  const run = RunFolder.create(mkdtempSync(join(folder, 'run-')), job)
  const file = join(run.path, runFiles.samples)
  writeFileSync(file, `${line(1)}${'\0'.repeat(9)}\n${line(2)}{"step": 2}\n${line(3)}{"step": 4, "pro`)
  const told: string[] = []
  const kept: number[] = []
  run.samples.start(
    2,
    (message) => told.push(message),
    ({ step }) => kept.push(step),
  )
  assert.deepEqual(told, [
    `${file}: lines 2, 4 are not what a run writes there, and left out; was the file changed, or is the disk damaged?`,
  ])
  assert.deepEqual(kept, [1, 2])
  run.samples.append({ step: 3, prompt: 'a', text: 'c' })
  run.close()
  assert.equal(readFileSync(file, 'utf8'), `${line(1)}${line(2)}${line(3).replace('"b"', '"c"')}`)
  // A line that ends well and far beyond what a run writes is no line.
  appendFileSync(file, Buffer.alloc(longestLine + 2, ' '))
  assert.throws(() => run.samples.start(3, () => {}), /line 4: is over/)
})

for (const [how, remove] of [
  ['deleted', (path: string) => rmSync(path, { recursive: true })],
  ['moved', (path: string) => renameSync(path, `${path}-elsewhere`)],
  [
    'replaced',
    (path: string) => {
      renameSync(path, `${path}-elsewhere`)
      mkdirSync(path)
      writeFileSync(join(path, 'run.json'), '{}')
    },
  ],
] as const)
  test(`a run whose folder is ${how} meanwhile ends in an error, and writes nothing more there`, async () => {
    const out = mkdtempSync(join(folder, 'run-'))
    const context = { resume: false, signal: new AbortController().signal, emit: () => {} }
    const run = inRunFolder({ ...job, out }, context, async (opened) => {
      remove(out)
      assert.throws(() => opened.save(1, values()), /was deleted, moved or replaced/)
      return { type: 'result' }
    })
    await assert.rejects(
      run,
      (error) => error instanceof SecateurError && error.file === out && error.kind === 'bad-file',
    )
    const left = readdirSync(folder).includes(out.split('/').at(-1)!) ? readdirSync(out) : null
    assert.deepEqual(left, how === 'replaced' ? ['run.json'] : null)
  })

test('a lock that was removed by hand does not end a run', async () => {
  const out = mkdtempSync(join(folder, 'run-'))
  const context = { resume: false, signal: new AbortController().signal, emit: () => {} }
  await inRunFolder({ ...job, out }, context, async (opened) => {
    rmSync(join(out, lockName))
    opened.save(1, values())
    return { type: 'result' }
  })
})
