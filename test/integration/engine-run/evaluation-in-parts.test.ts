import assert from 'node:assert/strict'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { type EngineEvent, type EvaluateJob, evaluateSchema, finetuneSchema } from '../../../engine/contract/index.ts'
import { evaluate } from '../../../engine/jobs/evaluate.ts'
import { finetune } from '../../../engine/jobs/finetune.ts'
import { visionModel } from '../../fixtures/vision.ts'
import { TestApp } from '../../unit/electron/services.ts'
import { scratch, writeImage } from '../../unit/data/images/image-files.ts'

const root = join(import.meta.dirname, '../../..')
const fixture = (path: string) => join(root, 'test/fixtures/tasks', path)
const sample = (path: string) => join(root, 'resources/sample', path)

const folder = scratch()
/** Folder of the evaluation by one process, and in parts. */
const [alone, apart] = [join(folder, 'alone'), join(folder, 'apart')]
const machine = { device: 'onnx', threads: 1 }

/** Tasks with subjects and without, and a text, with an adapter, beside the dense checkpoint. */
const evaluationIn = (out: string, place: object = {}): EvaluateJob =>
  evaluateSchema.parse({
    kind: 'evaluate',
    checkpoint: sample('model'),
    compareWith: sample('model'),
    adapter: join(folder, 'adapter/output'),
    out,
    ...machine,
    ...place,
    evaluation: {
      tasks: {
        mmlu: fixture('mmlu'),
        piqa: sample('tasks/piqa/valid.jsonl'),
      },
      perplexity: { heldout: sample('heldout.txt') },
      limit: 6,
      maxWindows: 2,
      fewShot: 1,
      fewShotFrom: { mmlu: fixture('mmlu') },
      predictions: `${out}.rows.jsonl`,
      lmEvalJson: `${out}.json`,
    },
  })

/** Does an evaluation, and returns what it told. */
async function done(job: EvaluateJob, { resume = false, signal = new AbortController().signal } = {}) {
  const events: EngineEvent[] = []
  const result = await evaluate(job, { emit: (event) => void events.push(event), signal, resume })
  return { result, events }
}

const read = (file: string) => readFileSync(file, 'utf8')

const warningsOf = (events: readonly EngineEvent[]) =>
  new Set(events.flatMap((event) => (event.type === 'warning' ? [event.message] : [])))

/** A JSON file without what every attempt measures of itself, with its fields in their order. */
function textOf(file: string): string {
  const measured = ['finished', 'seconds', 'peakMemoryBytes', 'date', 'total_evaluation_time_seconds']
  return JSON.stringify(
    JSON.parse(readFileSync(file, 'utf8'), (key, value: unknown) => (measured.includes(key) ? 0 : value)),
  )
}

before(async () => {
  const job = finetuneSchema.parse({
    kind: 'finetune',
    checkpoint: sample('model'),
    data: [sample('train.jsonl')],
    out: join(folder, 'adapter'),
    ...machine,
    maxDocuments: 20,
    steps: 3,
    batchSize: 2,
    sequenceLength: 32,
    learningRate: 0.05,
  })
  await finetune(job, { emit: () => {}, signal: new AbortController().signal, resume: false })
})

test('an evaluation in parts, each in a process of its own, is that of one process', async () => {
  const single = await done(evaluationIn(alone))
  const joined = await done(evaluationIn(apart, { parallel: 2 }))
  const changes = Object.values(single.result.besideDense!.tasks)
  assert.ok(changes.some(({ rightToWrong, wrongToRight }) => rightToWrong + wrongToRight > 0))
  for (const file of ['result.json', 'scores.json'])
    assert.equal(textOf(join(apart, file)), textOf(join(alone, file)), file)
  assert.equal(textOf(`${apart}.json`), textOf(`${alone}.json`))
  assert.equal(read(`${apart}.rows.jsonl`), read(`${alone}.rows.jsonl`))
  const predictions = readdirSync(join(alone, 'predictions'))
  assert.equal(predictions.length, 4)
  assert.deepEqual(readdirSync(join(apart, 'predictions')).toSorted(), predictions.toSorted())
  for (const name of predictions)
    assert.equal(read(join(apart, 'predictions', name)), read(join(alone, 'predictions', name)), name)
  const samples = readdirSync(folder).filter((name) => /^samples_.*_alone\.jsonl$/.test(name))
  assert.ok(samples.length > 2, samples.join())
  for (const name of samples)
    assert.equal(read(join(folder, name.replace('alone', 'apart'))), read(join(folder, name)), name)
  assert.deepEqual(warningsOf(joined.events), warningsOf(single.events))
  assert.ok(warningsOf(single.events).size > 0)

  const shares = joined.events.flatMap((event) =>
    event.type === 'progress' && event.stage === 'scoring' ? [event.done / event.total] : [],
  )
  assert.ok(shares.length > 5 && shares.every((share) => share >= 0 && share <= 1), shares.join())
  assert.equal(shares.at(-1), 1)
  assert.ok(!joined.events.some((event) => event.type === 'progress' && event.stage === 'scoring dense'))
})

test('the app takes it into the history as one evaluation', async () => {
  const app = await TestApp.open()
  try {
    const entered = async (path: string) => {
      const { id, kind, state } = await app.ask('runs.importFolder', { path })
      const { result } = await app.ask('runs.get', { id })
      const { seconds: _, peakMemoryBytes: __, ...scores } = result!
      const dense = { run: id, which: 'dense' as const }
      const scored = { run: id, which: 'result' as const }
      const rows = { task: 'piqa', outcome: 'all' as const, before: dense, after: scored }
      const compared = await app.ask('predictions.compare', rows)
      return { kind, state, scores, rows: compared!.rows.length }
    }
    const joined = await entered(apart)
    assert.deepEqual(joined, await entered(alone))
    assert.deepEqual([joined.kind, joined.state, joined.rows], ['evaluate', 'done', 6])
    assert.equal((await app.ask('history.query', {})).total, 2, 'parts are no runs of their own')
  } finally {
    await app.remove()
  }
})

const partsIn = (out: string) => readdirSync(join(out, 'parts')).map((name) => join(out, 'parts', name))
const resumed = (place: object = { parallel: 2 }) => done(evaluationIn(apart, place), { resume: true })
const begun = (events: readonly EngineEvent[]) =>
  events.flatMap((event) => (event.type === 'log' && event.message.startsWith('running ') ? [event.message] : []))

test('a part that is over is not done again, and one that is missing is', async () => {
  const earlier = textOf(join(apart, 'result.json'))
  const times = () => partsIn(apart).map((part) => statSync(join(part, 'result.json')).mtimeMs)
  const [first, second, third] = times()
  rmSync(join(apart, 'parts/2-piqa/result.json'))
  const { events } = await resumed({ parallel: 1 })
  assert.deepEqual(begun(events), ['running 2-piqa'])
  assert.equal(textOf(join(apart, 'result.json')), earlier)
  const again = times()
  assert.deepEqual([again[0], again[2]], [first, third])
  assert.notEqual(again[1], second)
  await assert.rejects(done(evaluationIn(apart, { parallel: 2 })), /holds something already.*--resume/)
  await assert.rejects(done(evaluationIn(apart)), /holds something already/, 'one process leaves the parts alone')
})

const cut = (file: string) => truncateSync(file, statSync(file).size - 20)
const lessModel = (file: string) => writeFileSync(file, read(file).replace(/"after": \d+/, '"after": 5'))

/** Resumes with a file of a part changed, puts the file back, and returns the words of the error. */
async function withDamage(name: string, damage: (file: string) => void): Promise<string> {
  const file = join(apart, 'parts', name)
  const kept = readFileSync(file)
  damage(file)
  try {
    const error = await resumed().then(
      () => assert.fail(`${name} is taken as it is`),
      (thrown: Error) => thrown,
    )
    const told = JSON.parse(readFileSync(join(apart, 'result.json'), 'utf8')) as { outcome: { type: string } }
    assert.equal(told.outcome.type, 'error', 'what is not whole is not joined')
    return error.message
  } finally {
    writeFileSync(file, kept)
  }
}

test('a part that is damaged is named, with what to do', async () => {
  const remedy =
    /parts\/2-piqa\/[^:]+: .*: remove .*2-piqa and say --resume: the part is done again, the others are kept$/
  const other = (from: string) => (file: string) => cpSync(join(apart, 'parts', from), file)
  assert.match(await withDamage('2-piqa/result.json', cut), remedy)
  assert.match(
    await withDamage('2-piqa/result.json', other('3-heldout/result.json')),
    /lacks scores of the part 2-piqa/,
  )
  assert.match(
    await withDamage('2-piqa/rows.jsonl', other('1-mmlu/rows.jsonl')),
    /has \d+ rows, and 6 were scored: remove/,
  )
  assert.match(await withDamage('2-piqa/rows.jsonl', rmSync), remedy)
  assert.match(await withDamage('2-piqa/lm-eval.json', rmSync), remedy)
  assert.match(await withDamage('2-piqa/lm-eval.json', cut), remedy)
  assert.match(
    await withDamage('1-mmlu/samples_mmlu_virology_lm-eval.jsonl', rmSync),
    /is missing: remove .*1-mmlu and/,
  )
  assert.match(await withDamage('2-piqa/predictions/dense.piqa.json', cut), remedy)
  assert.match(await withDamage('2-piqa/result.json', lessModel), /a model of 5 parameters.*the checkpoint was changed/)
  assert.deepEqual(begun((await resumed()).events), [])
  assert.equal(textOf(join(apart, 'result.json')), textOf(join(alone, 'result.json')))
})

test('where a part cannot be done, the others go on, and nothing is joined until it is', async () => {
  const part = join(apart, 'parts/1-mmlu')
  for (const name of ['1-mmlu', '3-heldout']) rmSync(join(apart, 'parts', name), { recursive: true })
  mkdirSync(part)
  writeFileSync(join(part, 'notes.txt'), 'of somebody')
  await assert.rejects(
    resumed(),
    /^SecateurError: 1 of 3 parts could not be done, and nothing is joined\. 1-mmlu: out: .*holds something already.* The other 2 are kept\. Mend what is wrong, and say --resume$/,
  )
  assert.ok(existsSync(join(apart, 'parts/3-heldout/result.json')))
  rmSync(part, { recursive: true })
  assert.deepEqual(begun((await resumed()).events), ['running 1-mmlu'])
  assert.equal(textOf(join(apart, 'result.json')), textOf(join(alone, 'result.json')))
})

test('a stop ends all parts, and what was not over begins anew', async () => {
  const out = join(folder, 'stopped')
  const text = sample('heldout.txt')
  const evaluation = { perplexity: { first: text, second: text }, maxWindows: 1 }
  const job = evaluateSchema.parse({
    kind: 'evaluate',
    checkpoint: sample('model'),
    out,
    ...machine,
    parallel: 1,
    evaluation,
  })
  const stop = new AbortController()
  const emit = (event: EngineEvent) => {
    if (event.type === 'log' && event.message === 'running 2-second') stop.abort()
  }
  await assert.rejects(evaluate(job, { emit, signal: stop.signal, resume: false }), { kind: 'interrupted' })
  assert.ok(!existsSync(join(out, 'scores.json')))
  const { result, events } = await done(job, { resume: true })
  assert.deepEqual(begun(events), ['running 2-second'])
  assert.deepEqual(result.perplexity!['first']!.value, result.perplexity!['second']!.value)
})

const untimed = (text: string) => text.replaceAll(/"imagesPerSecond":[\d.]+/g, '')

test('images are a part, and what would be refused is refused before any part begins', async () => {
  const [images, single, joined] = [scratch(), scratch(), scratch()]
  for (let i = 0; i < 6; i++)
    await writeImage(join(images, `test/${i % 3}/${i}.png`), { colour: [i * 40, 255 - i * 30, 9] })
  const jobIn = (out: string, changes: object) =>
    evaluateSchema.parse({
      kind: 'evaluate',
      checkpoint: visionModel('vit_hf'),
      out,
      ...machine,
      evaluation: {
        images,
        predictions: `${out}.jsonl`,
      },
      ...changes,
    })
  await done(jobIn(single, {}))
  await done(jobIn(joined, { parallel: 3 }))
  for (const file of ['result.json', 'scores.json'])
    assert.equal(untimed(textOf(join(joined, file))), untimed(textOf(join(single, file))))
  for (const path of [(out: string) => `${out}.jsonl`, (out: string) => join(out, 'predictions/result.images.json')])
    assert.equal(read(path(joined)), read(path(single)))

  const refused = (evaluation: object) => done(jobIn(scratch(), { parallel: 2, evaluation }))
  const nothing = join(scratch(), 'nothing')
  await assert.rejects(done(jobIn(nothing, { parallel: 2, evaluation: {} })), /name something to score/)
  assert.ok(!existsSync(nothing), 'and no folder is made')
  await assert.rejects(refused({ images, latency: true }), /is a model of images, which reads no text/)
  await assert.rejects(done({ ...jobIn('x', { parallel: 2 }), out: undefined }), /name a folder/)
})
