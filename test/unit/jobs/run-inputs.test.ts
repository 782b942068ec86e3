import assert from 'node:assert/strict'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  closeSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test, type TestContext } from 'node:test'
import { fingerprintOf } from '../../../engine/checkpoint/fingerprint.ts'
import { evaluateSchema, type Job, type JobContext, pruneSchema, sweepSchema } from '../../../engine/contract/index.ts'
import { InputReader } from '../../../engine/runs/inputs.ts'
import { readRunFile, runFiles } from '../../../engine/runs/run-files.ts'
import { inRunFolder, RunFolder } from '../../../engine/runs/run-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'secateur-run-inputs-'))
after(() => rmSync(folder, { recursive: true, force: true }))
before(() => {
  process.env['XDG_CACHE_HOME'] = join(folder, 'cache')
})
const { signal } = new AbortController()

/** What a run reads, in a folder of its own. */
function filesFor(context: TestContext) {
  const at = mkdtempSync(join(folder, 'files-'))
  context.after(() => rmSync(at, { recursive: true, force: true }))
  const write = (name: string, text: string) => {
    mkdirSync(dirname(join(at, name)), { recursive: true })
    writeFileSync(join(at, name), text)
  }
  const texts: Record<string, string> = {
    'model/config.json': '{}',
    'model/model.safetensors': 'weights',
    'model/tokenizer.json': 'tokens',
    'teacher/config.json': '{}',
    'teacher/model.safetensors': 'teacher',
    'a/train.txt': 'first',
    'b/train.txt': 'other',
    'held.txt': 'held',
    'calibration.txt': 'calibration',
    'piqa.jsonl': 'rows',
    'piqa-labels.lst': '0\n1\n',
    'shots.jsonl': 'shots',
    'own.json': '{"doc_to_text": "", "dataset_kwargs": {"data_files": "own.jsonl"}}',
    'own.jsonl': 'own rows',
    'wiki.raw': 'wiki',
    'images/cat/1.png': 'cat',
    'images/dog/2.png': 'dog',
    'images/.hidden.png': 'hidden',
  }
  for (const [name, text] of Object.entries(texts)) write(name, text)
  const job = pruneSchema.parse({
    kind: 'prune',
    checkpoint: join(at, 'model'),
    teacher: join(at, 'teacher'),
    data: [join(at, 'a/train.txt'), join(at, 'b/train.txt')],
    validation: join(at, 'held.txt'),
    calibrationData: [join(at, 'calibration.txt')],
    out: join(at, 'run'),
    evaluation: {
      tasks: { piqa: join(at, 'piqa.jsonl'), own: join(at, 'own.json') },
      fewShotFrom: { piqa: join(at, 'shots.jsonl') },
      perplexity: { wiki: join(at, 'wiki.raw') },
      images: join(at, 'images'),
    },
  })
  return { at, texts, write, job }
}

/** Starts or continues a run, which does nothing beside writing files into its folder. */
async function go(
  job: Job & { out: string },
  { resume, writes = {} }: { resume: boolean; writes?: Record<string, unknown> },
): Promise<string[]> {
  const said: string[] = []
  const context: JobContext = {
    emit: (event) => {
      if (event.type === 'log') said.push(event.message)
    },
    signal,
    resume,
  }
  await inRunFolder(job, context, async ({ path }) => {
    for (const [name, value] of Object.entries(writes)) writeFileSync(join(path, name), JSON.stringify(value))
    return await Promise.resolve({ type: 'result' as const })
  })
  return said
}

const score = { acc: 1, stderr: null, n: 1 }
const perplexity = { value: 1, tokens: 1, scored: 1, windows: 1, window: 1, protocol: '' }
const classification = { top1: 1, top5: 1, stderr: null, n: 1, perClass: [], imagesPerSecond: null }
const scores = { result: { tasks: { piqa: score, own: score }, perplexity: { wiki: perplexity }, classification } }

test('a run goes on with the files that it has read, and with no others of their names', async (context) => {
  const { at, texts, write, job } = filesFor(context)
  await go(job, { resume: false, writes: { 'scores.json': scores } })
  const files: [string, string][] = [
    ['model/config.json', 'checkpoint'],
    ['model/model.safetensors', 'checkpoint'],
    ['model/tokenizer.json', 'checkpoint'],
    ['teacher/model.safetensors', 'teacher'],
    ['a/train.txt', 'data'],
    ['b/train.txt', 'data'],
    ['held.txt', 'validation'],
    ['calibration.txt', 'calibrationData'],
    ['piqa.jsonl', 'evaluation.tasks.piqa'],
    ['piqa-labels.lst', 'evaluation.tasks.piqa'],
    ['shots.jsonl', 'evaluation.fewShotFrom.piqa'],
    ['own.jsonl', 'evaluation.tasks.own'],
    ['wiki.raw', 'evaluation.perplexity.wiki'],
    ['images/dog/2.png', 'evaluation.images'],
  ]
  for (const [name, setting] of files) {
    write(name, texts[name]!.replace(/.$/s, '!'))
    const ended = readFileSync(join(job.out, runFiles.result), 'utf8')
    await assert.rejects(go(job, { resume: true }), (error: Error & { file?: string; field?: string }) => {
      assert.deepEqual([error.file, error.field], [join(at, name), setting])
      assert.match(
        error.message,
        /holds something else than when the run in .* was started.*Put back .* or start a new run/,
      )
      return true
    })
    assert.equal(readFileSync(join(job.out, runFiles.result), 'utf8'), ended, 'what is refused stays as it was')
    write(name, texts[name]!)
  }
  rmSync(join(at, 'model/tokenizer.json'))
  await assert.rejects(go(job, { resume: true }), /tokenizer\.json: checkpoint: is not there any more/)
  write('model/tokenizer.json', texts['model/tokenizer.json']!)
  write('images/dog/3.png', 'another')
  await assert.rejects(go(job, { resume: true }), /3\.png: evaluation\.images: has come since/)
  rmSync(join(at, 'images/dog/3.png'))
  write('images/notes.md', 'what no data set is made of')
  write('model/README.md', 'a card')
  await go(job, { resume: true })
})

test('what a run has not used yet may be mended: all of it before its first step, and files that are not scored', async (context) => {
  const { at, write, job } = filesFor(context)
  await go(job, { resume: false })
  write('a/train.txt', 'mended')
  await go(job, { resume: true })
  await go(job, { resume: true, writes: { 'scores.json': { result: { tasks: { own: score }, perplexity: {} } } } })
  write('piqa.jsonl', 'mended')
  write('wiki.raw', 'mended')
  await go(job, { resume: true, writes: { 'scores.json': scores } })
  await go(job, { resume: true })
  write('piqa.jsonl', 'later')
  await assert.rejects(go(job, { resume: true }), { file: join(at, 'piqa.jsonl') })
  rmSync(join(at, 'piqa.jsonl'))
  await go(job, { resume: true })
  assert.ok(readRunFile(job.out).inputs!['evaluation.tasks.piqa'], 'what cannot be read is for the job to tell of')
})

test('a finished evaluation does not keep its scores where the weights or the rows have changed', async (context) => {
  const { at, write } = filesFor(context)
  const tasks = { piqa: join(at, 'piqa.jsonl') }
  const given = { kind: 'evaluate', checkpoint: join(at, 'model'), out: join(at, 'scores'), evaluation: { tasks } }
  const job = { ...evaluateSchema.parse(given), out: given.out }
  const writes = { 'scores.json': { result: { tasks: { piqa: score }, perplexity: {} } } }
  await go(job, { resume: false, writes })
  await go(job, { resume: true })
  write('model/model.safetensors', 'retrain')
  await assert.rejects(go(job, { resume: true }), { field: 'checkpoint' })
  await go(job, { resume: false, writes })
  await go(job, { resume: true })
})

test('a run of an earlier version, which kept no fingerprints, goes on and says so once', async (context) => {
  const { write, job } = filesFor(context)
  await go(job, { resume: false, writes: { 'metrics.jsonl': [] } })
  const file = join(job.out, runFiles.run)
  const { inputs: _, ...old } = readRunFile(job.out)
  writeFileSync(file, JSON.stringify(old))
  assert.match((await go(job, { resume: true })).join(), /kept no fingerprints/)
  assert.deepEqual(await go(job, { resume: true }), [])
  write('held.txt', 'HELD')
  await assert.rejects(go(job, { resume: true }), { field: 'validation' })
})

const read = (job: Job) => new InputReader({ emit: () => {}, signal }).read(job)

test('fingerprints are the same for copies elsewhere, and paths stand in none of them', async (context) => {
  const { at, job } = filesFor(context)
  const copy = `${at}-copy`
  context.after(() => rmSync(copy, { recursive: true, force: true }))
  cpSync(at, copy, { recursive: true })
  const there = JSON.parse(JSON.stringify(job).replaceAll(at, copy)) as typeof job
  const inputs = await read(job)
  assert.deepEqual(await read(there), inputs)
  assert.ok(!JSON.stringify(inputs).includes(at))
  assert.deepEqual(Object.keys(inputs['data.1']!), ['train.txt'])
})

test('a sweep that goes on is refused where runs that are over have read something else', async (context) => {
  const { at, write, job } = filesFor(context)
  const given = { kind: 'sweep', checkpoint: job.checkpoint, out: join(at, 'sweep'), base: { data: job.data } }
  const sweep = sweepSchema.parse(given)
  const run = { ...job, out: join(sweep.out, 'runs/1-a') }
  await go(sweep, { resume: false, writes: { 'table.csv': '' } })
  await go(run, { resume: false, writes: { 'metrics.jsonl': [] } })
  await go(sweep, { resume: true })
  assert.equal(readRunFile(sweep.out).inputs, undefined)
  write('b/train.txt', 'OTHER')
  await assert.rejects(go(sweep, { resume: true }), {
    file: join(at, 'b/train.txt'),
    message: /the run in .*1-a .*or remove that folder/,
  })
  const part = {
    ...evaluateSchema.parse({ kind: 'evaluate', checkpoint: job.checkpoint, evaluation: {} }),
    out: run.out,
  }
  rmSync(run.out, { recursive: true })
  await go(part, { resume: false, writes: { 'scores.json': scores } })
  write('model/model.safetensors', 'another')
  await assert.rejects(go(sweep, { resume: true }), { field: 'checkpoint' })
  rmSync(join(part.out, runFiles.result))
  await go(sweep, { resume: true })
})

test('many images have one fingerprint, which follows from their names and what they hold', async (context) => {
  const { write, job } = filesFor(context)
  for (let number = 0; number < 100; number++) write(`images/cat/${number}.png`, `cat ${number}`)
  await go(job, { resume: false, writes: { 'scores.json': scores } })
  assert.deepEqual(Object.keys(readRunFile(job.out).inputs!['evaluation.images']!), [''])
  await go(job, { resume: true })
  write('images/cat/7.png', 'dog 7')
  await assert.rejects(go(job, { resume: true }), { field: 'evaluation.images', message: /holds other files/ })
})

test('large files are read once as long as they do not change, and the largest in blocks', async (context) => {
  const { at, write } = filesFor(context)
  const file = join(at, 'large.bin')
  write('large.bin', 'begins')
  truncateSync(file, 20 * 2 ** 20)
  const first = await fingerprintOf(file, signal)
  const kept = join(folder, 'cache/secateur/content-hashes.json')
  const text = readFileSync(kept, 'utf8')
  assert.ok(text.includes(first))
  writeFileSync(kept, text.replace(first, 'remembered'))
  assert.equal(await fingerprintOf(file, signal), 'remembered')
  writeFileSync(kept, text)
  put(file, 12_345_678)
  assert.notEqual(await fingerprintOf(file, signal), first)

  truncateSync(file, 1.5 * 2 ** 30)
  const large = await fingerprintOf(file, signal)
  truncateSync(file, 1.5 * 2 ** 30 + 1)
  assert.notEqual(await fingerprintOf(file, signal), large, 'another size')
  truncateSync(file, 1.5 * 2 ** 30)
  assert.equal(await fingerprintOf(file, signal), large)
  put(file, 1.5 * 2 ** 30 - 3)
  assert.notEqual(await fingerprintOf(file, signal), large, 'the last block')
})

function put(file: string, at: number): void {
  const descriptor = openSync(file, 'r+')
  writeSync(descriptor, 'x', at)
  closeSync(descriptor)
}

test('scores of an output that was removed are not kept for the one that is written in its place', (context) => {
  const { job } = filesFor(context)
  RunFolder.create(job.out, job).close()
  const dense = { tasks: {}, perplexity: {} }
  writeFileSync(join(job.out, runFiles.scores), JSON.stringify({ dense, ...scores }))
  const run = RunFolder.open(job.out, { ...job, outputDtype: 'bfloat16' })
  assert.deepEqual(run.readScores(), { dense })
  run.close()
})
