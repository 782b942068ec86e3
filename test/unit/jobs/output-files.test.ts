import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, test } from 'node:test'
import {
  type EngineEvent,
  type EvaluateJob,
  evaluateSchema,
  type Job,
  type PruneJob,
  pruneSchema,
  sweepSchema,
} from '../../../engine/contract/index.ts'
import { checkData } from '../../../engine/estimate/check-data.ts'
import { runJob } from '../../../engine/jobs/index.ts'
import { outputProblems } from '../../../engine/runs/output-files.ts'
import { StagedFiles } from '../../../engine/shared/staged-files.ts'
import { sample } from '../../e2e/secateur.ts'
import { visionModel } from '../../fixtures/vision.ts'
import { scratch, writeImage } from '../data/images/image-files.ts'

const noLinks = process.platform === 'win32' ? 'Windows has no such files, or lets no user make them' : false
const machine = { device: 'onnx', threads: 1 }

let folder = ''
const at = (...names: string[]) => join(folder, ...names)
beforeEach(() => {
  folder = scratch()
  copyFileSync(sample('tasks/piqa/valid.jsonl'), at('valid.jsonl'))
  copyFileSync(sample('tasks/piqa/valid-labels.lst'), at('valid-labels.lst'))
  copyFileSync(sample('heldout.txt'), at('held.txt'))
})

const jobWith = (evaluation: object, more: object = {}) =>
  evaluateSchema.parse({
    kind: 'evaluate',
    checkpoint: sample('model'),
    ...machine,
    ...more,
    evaluation: { tasks: { piqa: at('valid.jsonl') }, limit: 3, ...evaluation },
  })

async function run(job: Job, { resume = false, stopAt = '' } = {}) {
  const stop = new AbortController()
  const emit = (event: EngineEvent) => {
    if (event.type === 'progress' && event.item === stopAt) stop.abort()
  }
  return await runJob(job, { emit, signal: stop.signal, resume })
}

/** Why the files of an evaluation, or of what it scores, would be refused. */
async function refused(job: EvaluateJob | PruneJob, message: RegExp): Promise<void> {
  const [problem] = await outputProblems(job)
  assert.match(problem!.message, message)
}

/** Why either file of an evaluation would be refused at a place. */
async function refusedBoth(path: string, message: RegExp): Promise<void> {
  for (const setting of ['predictions', 'lmEvalJson']) await refused(jobWith({ [setting]: path }), message)
}

/** A job that is refused leaves what lies there as it was, and nothing beside it. */
async function refusedByAll(job: Job, message: RegExp): Promise<void> {
  const before = stateOf()
  await assert.rejects(run(job), (error: Error) => {
    assert.match(error.message, message)
    return true
  })
  assert.deepEqual(stateOf(), before)
  const { problems } = await checkData({ job }, { signal: new AbortController().signal, progress: () => {} })
  assert.match(problems[0]!.message, message)
}

/** Names in the folder, with what files hold. */
const stateOf = () =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .toSorted()
    .map((name) => (statSync(at(name)).isFile() ? [name, readFileSync(at(name), 'latin1')] : [name]))

describe('a file that an evaluation is to write', () => {
  test('is refused where something lies there already', async () => {
    writeFileSync(at('rows.jsonl'), 'mine')
    await refused(
      jobWith({ predictions: at('rows.jsonl') }),
      /rows\.jsonl: already exists; remove it or choose another/,
    )
    await refused(jobWith({ lmEvalJson: at('rows.jsonl') }), /rows\.jsonl: already exists/)
    mkdirSync(at('apart'))
    const parts = { out: at('apart'), parallel: 1 }
    await refusedByAll(jobWith({ predictions: at('rows.jsonl') }, parts), /rows\.jsonl: already exists/)
    writeFileSync(at('samples_piqa_1.jsonl'), 'mine')
    const lmEvalJson = at('results_1.json')
    await refused(jobWith({ predictions: at('new'), lmEvalJson }), /samples_piqa_1\.jsonl: already exists/)
    // Without predictions no single rows are written.
    await run(jobWith({ lmEvalJson }))
    assert.equal(readFileSync(at('samples_piqa_1.jsonl'), 'utf8'), 'mine')
  })

  test('is refused where the job reads it', async () => {
    cpSync(sample('model'), at('model'), { recursive: true })
    const named = (evaluation: object, message: RegExp) =>
      refused(jobWith(evaluation, { checkpoint: at('model') }), message)
    await named(
      { predictions: at('valid.jsonl') },
      /predictions: .*valid\.jsonl belongs to the task piqa \(.*\), which/,
    )
    await named({ predictions: at('valid-labels.lst') }, /valid-labels\.lst belongs to the task piqa/)
    const perplexity = { held: at('held.txt') }
    await named({ perplexity, lmEvalJson: at('held.txt') }, /lm-eval-json: .*held\.txt belongs to the text held/)
    for (const name of ['config.json', 'model.safetensors', 'new.jsonl'])
      await named(
        { predictions: at('model', name) },
        /belongs to the checkpoint \(.*model\), which this job reads: name a file elsewhere/,
      )
  })

  test('is refused where a link leads to what the job reads, or anywhere else', { skip: noLinks }, async () => {
    cpSync(sample('model'), at('model'), { recursive: true })
    symlinkSync(at('model'), at('link'))
    const checkpoint = { checkpoint: at('model') }
    await refused(jobWith({ predictions: at('link/config.json') }, checkpoint), /belongs to the checkpoint/)
    await refused(jobWith({ predictions: at('link/new') }, checkpoint), /belongs to the checkpoint/)
    symlinkSync(at('valid.jsonl'), at('to-task'))
    await refused(jobWith({ predictions: at('to-task') }), /to-task belongs to the task piqa/)
    writeFileSync(at('other'), '')
    symlinkSync(at('other'), at('to-other'))
    await refused(jobWith({ predictions: at('to-other') }), /to-other: is a link to .*other; name the file/)
  })

  test('is refused where it is no file', { skip: noLinks }, async () => {
    execFileSync('mkfifo', [at('pipe')])
    await refusedBoth(at('pipe'), /is a named pipe, not a file/)
    await refusedBoth(folder, /is a folder, not a file/)
    await refusedBoth('/dev/null', /is a device, not a file/)
    await refusedBoth(at('held.txt/rows'), /held\.txt is no folder that this user may write to/)
    await refusedBoth(at('nowhere/rows'), /nowhere is no folder/)
  })

  test('is refused where another one of the job is written to', async () => {
    const same = { predictions: at('out.json'), lmEvalJson: `${folder}/./out.json` }
    await refused(jobWith(same), /lm-eval-json: .*out\.json is the file of the predictions too/)
    const samples = { predictions: at('samples_piqa_1.jsonl'), lmEvalJson: at('results_1.json') }
    await refused(jobWith(samples), /predictions: .*samples_piqa_1\.jsonl takes the rows of --lm-eval-json/)
    mkdirSync(at('run'))
    const inRun = (name: string) => jobWith({ predictions: at('run', name) }, { out: at('run') })
    await refused(inRun('run.json'), /run\.json is where the run in .* keeps something of its own/)
    await refused(jobWith({ predictions: at('fresh') }, { out: at('fresh') }), /fresh is the folder of the run/)
    await run(inRun('rows.jsonl'))
    // The folder of a run is made by it.
    const made = { predictions: at('made/rows.jsonl'), lmEvalJson: at('made/results_1.json') }
    await run(jobWith(made, { out: at('made') }))
    assert.equal(readFileSync(at('made/rows.jsonl'), 'utf8').trim().split('\n').length, 3)
    await refused(jobWith({ predictions: at('made-not/deeper/rows.jsonl') }, { out: at('made-not') }), /is no folder/)
  })

  test('is refused among the images that are scored', async () => {
    for (let i = 0; i < 3; i++) await writeImage(at(`images/test/class ${i}/${i}.png`), { colour: [i * 80, 9, 9] })
    const job = (predictions: string) =>
      evaluateSchema.parse({
        kind: 'evaluate',
        checkpoint: visionModel('vit_hf'),
        ...machine,
        evaluation: { images: at('images'), predictions },
      })
    await refused(job(at('images/test/class 1/1.png')), /belongs to the images \(/)
    writeFileSync(at('rows.jsonl'), 'mine')
    await refusedByAll(job(at('rows.jsonl')), /rows\.jsonl: already exists/)
  })

  test('is refused where a pruning would find it out after hours', async () => {
    const job = (evaluation: object) =>
      pruneSchema.parse({
        kind: 'prune',
        checkpoint: sample('model'),
        data: [at('held.txt')],
        out: at('run'),
        evaluation: { tasks: { piqa: at('valid.jsonl') }, ...evaluation },
      })
    writeFileSync(at('rows.jsonl'), 'mine')
    await refusedByAll(job({ predictions: at('rows.jsonl') }), /rows\.jsonl: already exists/)
    await refused(job({ predictions: at('held.txt') }), /held\.txt belongs to the training data/)
  })

  test('is refused where several runs of a sweep would write it', async () => {
    const base = { data: [at('held.txt')], evaluation: { tasks: { piqa: at('valid.jsonl') } } }
    const job = (predictions: string, ratios: number[]) =>
      sweepSchema.parse({
        kind: 'sweep',
        checkpoint: sample('model'),
        out: at('sweep'),
        base: { ...base, evaluation: { ...base.evaluation, predictions } },
        values: { ratio: ratios },
      })
    await refusedByAll(
      job(at('rows.jsonl'), [0.3, 0.5]),
      /base\.evaluation\.predictions: .* would be written by 2 runs/,
    )
    const one = { job: job(at('rows.jsonl'), [0.3]) }
    const found = await checkData(one, { signal: new AbortController().signal, progress: () => {} })
    assert.deepEqual(found.problems, [])
  })

  test('is written over by the same run only, whether it is resumed or done again', async () => {
    const job = jobWith({ predictions: at('rows.jsonl'), lmEvalJson: at('results_1.json') }, { out: at('run') })
    await run(job)
    const names = ['rows.jsonl', 'results_1.json', 'samples_piqa_1.jsonl']
    const rows = readFileSync(at('rows.jsonl'), 'utf8')
    for (const resume of [false, true]) {
      for (const name of names) writeFileSync(at(name), 'old')
      await run(job, { resume })
      assert.equal(readFileSync(at('rows.jsonl'), 'utf8'), rows)
      for (const name of names) assert.ok(statSync(at(name)).size > 100, name)
    }
    await refused({ ...job, out: at('other') }, /rows\.jsonl: already exists/)
  })
})

describe('files that are written', () => {
  test('appear when all of them are whole, and not at all where the job is stopped', async () => {
    const before = readdirSync(folder)
    const evaluation = {
      perplexity: { held: at('held.txt') },
      maxWindows: 60,
      predictions: at('rows.jsonl'),
      lmEvalJson: at('results_1.json'),
    }
    await assert.rejects(run(jobWith(evaluation), { stopAt: 'held' }), { name: 'AbortError' })
    assert.deepEqual(readdirSync(folder), before)
    await run(jobWith(evaluation))
    assert.equal(readFileSync(at('rows.jsonl'), 'utf8').trim().split('\n').length, 3)
    assert.equal(readFileSync(at('samples_piqa_1.jsonl'), 'utf8').trim().split('\n').length, 3)
    assert.equal(readdirSync(folder).length, before.length + 3)
  })

  test('stay unwritten where another file has come to lie there meanwhile', () => {
    const write = (replaces: boolean) => {
      using files = new StagedFiles(() => replaces)
      files.begin(at('empty'))
      files.write(at('a'), 'one\n')
      files.write(at('a'), Buffer.from('two\n'))
      writeFileSync(at('a'), 'theirs')
      files.commit()
    }
    const before = readdirSync(folder)
    assert.throws(() => write(false), /\/a: already exists/)
    assert.equal(readFileSync(at('a'), 'utf8'), 'theirs')
    assert.deepEqual(readdirSync(folder), ['a', ...before].toSorted())
    write(true)
    assert.equal(readFileSync(at('a'), 'utf8'), 'one\ntwo\n')
    assert.equal(readFileSync(at('empty'), 'utf8'), '')
  })
})
