import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { type EngineEvent, type EvaluateJob, type Job, jobSchema } from '../../../engine/contract/index.ts'
import { checkData, refuseBadFiles } from '../../../engine/estimate/check-data.ts'
import { evaluationFiles } from '../../../engine/estimate/file-groups.ts'
import { announceWork } from '../../../engine/estimate/phase-work.ts'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'
import { openTokenizer } from '../../../engine/models/model-tokenizer.ts'
import { runJob } from '../../../engine/jobs/index.ts'
import { sample } from '../../e2e/secateur.ts'

const folder = mkdtempSync(join(tmpdir(), 'secateur-check-'))
after(() => rmSync(folder, { recursive: true }))
const file = (name: string, ...rows: unknown[]) => {
  const path = join(folder, name)
  writeFileSync(path, rows.map((row) => (typeof row === 'string' ? row : JSON.stringify(row))).join('\n'))
  return path
}

const job = (more: object): Job =>
  jobSchema.parse({ kind: 'prune', checkpoint: sample('model'), out: join(folder, 'run'), ratio: 0.5, ...more })
const check = (more: object, progress: (done: number, total: number) => void = () => {}) =>
  checkData({ job: job(more) }, { signal: new AbortController().signal, progress })
const messagesOf = async (more: object) => (await check(more)).problems.map(({ message }) => message)

const turn = { prompt: 'Once upon a time', completion: ' there was a dog.' }
const long = { prompt: 'Once upon a time '.repeat(40), completion: ' there was a dog.' }
const rows = [turn, { title: 'x' }, '{"prompt": ', long, turn, turn, { prompt: 'Once', completion: '' }]
const mixed = file('mixed.jsonl', ...rows)
const piqa = { goal: 'To open a door', sol1: 'pull it', sol2: 'eat it', label: 0 }

describe('training data', () => {
  test('says what becomes of the rows, and names each bad one with its line', async () => {
    const progress: number[][] = []
    const found = await check({ data: [mixed], packing: 'pad' }, (done, total) => progress.push([done, total]))
    assert.equal(found.badRows, 2)
    assert.match(found.problems[0]!.message, /mixed\.jsonl: line 2: has the fields title/)
    assert.match(found.problems[1]!.message, /mixed\.jsonl: line 3, column \d+: is not valid JSON/)
    assert.deepEqual(
      found.problems.map(({ kind, file: path, field }) => [kind, path, field?.slice(0, 6)]),
      [
        ['bad-file', mixed, 'line 2'],
        ['bad-file', mixed, 'line 3'],
      ],
    )
    assert.deepEqual([found.rows!.rows, found.rows!.documents, found.rows!.dropped, found.rows!.skipped], [5, 3, 1, 0])
    const [done, total] = progress.at(-1)!
    assert.ok(done === total && total! > 0)
  })

  test('skips bad rows if asked, and refuses where too many are lost', async () => {
    const skipped = await check({ data: [mixed], packing: 'pad', badRows: 'skip' })
    assert.deepEqual([skipped.badRows, skipped.rows!.skipped], [0, 2])
    assert.match(skipped.loss!, /^of 7 rows .*left out 1 longer than 256 tokens.*left out 2 that could not be read/)
    assert.match(skipped.problems[0]!.message, /57% of the rows would be lost, and 50% may be: of 7 rows/)
    assert.deepEqual(await messagesOf({ data: [mixed], packing: 'pad', badRows: 'skip', maxLostRows: 0.6 }), [])
    const whole = await check({ data: [mixed], packing: 'pad', badRows: 'skip', sequenceLength: 400, maxLostRows: 0.6 })
    assert.deepEqual([whole.cutAt, whole.rows!.cut, whole.rows!.documents], [400, 0, 4])
  })

  test('is the whole of the files, and calibration data too', async () => {
    const good = file('good.jsonl', turn)
    const late = file('late.jsonl', ...Array.from({ length: 3000 }, () => turn), { title: 'x' })
    assert.match((await messagesOf({ data: [good, late] }))[0]!, /late\.jsonl: line 3001: has the fields title/)
    const calibration = { data: [good], calibrationData: [mixed], calibrationShares: [1, 2] }
    const messages = await messagesOf(calibration)
    assert.match(messages[0]!, /2 shares do not fit 1 calibration texts/)
    assert.match(messages[1]!, /mixed\.jsonl: line 2/)
    assert.match((await messagesOf({ data: [file('empty.jsonl')] }))[0]!, /empty\.jsonl: holds no rows/)
  })

  test('is checked with its validation data, and for rows that are left where some are held out', async () => {
    const good = file('few.jsonl', turn, turn, turn)
    assert.match((await messagesOf({ data: [good], validation: mixed }))[0]!, /mixed\.jsonl: line 2/)
    assert.match((await messagesOf({ data: [good], validation: 1000 }))[0]!, /1000 of 3 rows would be held out/)
    assert.deepEqual(await messagesOf({ data: [good], validation: 2 }), [])
    assert.deepEqual(await messagesOf({ data: [good], validation: good }), [])
  })

  test('is not read again where nothing has changed', async () => {
    const data = file('again.jsonl', { title: 'x' }, turn)
    const first = await check({ data: [data] })
    assert.equal((await check({ data: [data], ratio: 0.3, rank: 4 })).problems[0]!.message, first.problems[0]!.message)
    const seen: number[] = []
    await check({ data: [data] }, (done) => seen.push(done))
    assert.equal(seen.length, 1)
    file('again.jsonl', turn, turn)
    utimesSync(data, 1, 1)
    assert.deepEqual(await messagesOf({ data: [data] }), [])
  })
})

describe('what is scored', () => {
  const data = [file('train.jsonl', turn)]
  const evaluation = {
    tasks: { piqa: file('piqa.jsonl', piqa, { ...piqa, label: 2 }), boolq: file('boolq.jsonl', { passage: 'a' }) },
    perplexity: { short: file('short.txt', 'a few words'), none: join(folder, 'none.txt') },
    predictions: join(folder, 'nowhere/rows.jsonl'),
    prompts: ['Once '.repeat(1900)],
  }
  const expected = [
    /predictions: .*nowhere is no folder/,
    /piqa\.jsonl: line 2, label: must be a whole number from 0 to 1, not 2/,
    /boolq\.jsonl: line 1, /,
    /short\.txt: holds \d+ tokens, less than one window of 128/,
    /none\.txt: there is no such file/,
    /prompt: \d+ tokens do not leave room/,
  ]

  test('is read and encoded before anything is computed; every file that is wrong is named', async () => {
    const messages = await messagesOf({ data, evaluation })
    assert.equal(messages.length, expected.length, messages.join('\n'))
    for (const [index, pattern] of expected.entries()) assert.match(messages[index]!, pattern)
    const few = { tasks: { piqa: file('one.jsonl', piqa) }, fewShot: 2 }
    assert.match((await messagesOf({ data, evaluation: few }))[0]!, /2 examples a row cannot be drawn from 1 rows/)
    const sweep = { kind: 'sweep', base: { data, evaluation: few }, values: { seed: [1, 2], ratio: [0.3, 0.5] } }
    const { ratio: _, ...asked } = job({ data }) as unknown as Record<string, unknown>
    const parsed = jobSchema.parse({ ...sweep, checkpoint: asked['checkpoint'], out: asked['out'] })
    const found = await checkData({ job: parsed }, { signal: new AbortController().signal, progress: () => {} })
    assert.deepEqual([found.problems.length, found.rows!.documents], [1, 1])
  })

  test('by a run before it trains or scores', async () => {
    for (const asked of [job({ data, evaluation }), evaluateJob(evaluation)]) {
      const events: EngineEvent[] = []
      const context = { emit: (event: EngineEvent) => void events.push(event), signal: new AbortController().signal }
      await assert.rejects(runJob(asked, { ...context, resume: false }), (error: Error) =>
        expected.every((pattern) => pattern.test(error.message)),
      )
      assert.ok(!events.some(({ type }) => type === 'started' || type === 'step'))
    }
  })

  test('once: the work of a run is told from what the check has read', async () => {
    const words = 'Once upon a time there was a dog. '.repeat(60)
    const scored = {
      tasks: { piqa: file('asked.jsonl', piqa, piqa) },
      perplexity: { text: file('read.txt', words) },
      window: 64,
    }
    const asked = evaluateJob(scored) as EvaluateJob
    const events: EngineEvent[] = []
    const emit = (event: EngineEvent) => void events.push(event)
    const context = { emit, signal: new AbortController().signal, resume: false }
    using checkpoint = openCheckpoint(sample('model'))
    const found = await refuseBadFiles(evaluationFiles(asked), context)
    for (const path of [scored.tasks.piqa, scored.perplexity.text]) rmSync(path)
    await announceWork(asked, checkpoint, checkpoint.config.layers, context, found)
    const told = events.find(({ type }) => type === 'work')
    assert.ok(told?.type === 'work')
    const { piqa: questions, text } = told.phases.scoring!.items!
    const tokenizer = await openTokenizer({ folder: checkpoint.folder, config: checkpoint.config })
    assert.equal(text, 64 * Math.floor(tokenizer.encode(words, { specialTokens: true }).length / 64))
    // Two rows of two short choices after a short question.
    assert.ok(questions! > 20 && questions! < 80 && questions! % 2 === 0, `${questions} tokens`)
  })

  test('training data too, where the dense checkpoint is scored first', async () => {
    const scored = { perplexity: { text: file('text.txt', 'Once upon a time there was a dog. '.repeat(60)) } }
    const asked = job({ data: [mixed], evaluation: scored, evaluateDense: true })
    const context = { emit: () => {}, signal: new AbortController().signal, resume: false }
    await assert.rejects(runJob(asked, context), /mixed\.jsonl: line 2: .*\n.*mixed\.jsonl: line 3/)
  })
})

const evaluateJob = (evaluation: object) =>
  jobSchema.parse({ kind: 'evaluate', checkpoint: sample('model'), evaluation })
