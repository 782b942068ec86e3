import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import sharp from 'sharp'
import {
  evaluateSchema,
  mostPredictions,
  type ParsedServiceParams,
  predictionsSchema,
} from '../../../engine/contract/index.ts'
import { evaluate } from '../../../engine/jobs/evaluate.ts'
import { compareImages } from '../../../engine/runs/compare-images.ts'
import { fileThumbnails } from '../../../engine/datasets/file-thumbnails.ts'
import { keepPredictions, keptOfImages, keptOfRows, readImagePredictions } from '../../../engine/runs/predictions.ts'
import { visionModel } from '../../fixtures/vision.ts'
import { imageParquet } from '../data/images/image-parquet.ts'
import { scratch, writeImage } from '../data/images/image-files.ts'

let folder = ''
let run = ''
before(async () => {
  process.env['XDG_CACHE_HOME'] = scratch()
  folder = scratch()
  run = join(scratch(), 'run')
  for (let i = 0; i < 7; i++)
    await writeImage(join(folder, `test/${i % 3}/${i}.png`), { colour: [i * 36, 255 - i * 30, (i * 97) % 256] })
})

const asked = (changes: Partial<ParsedServiceParams<'compareImages'>> = {}) => ({
  after: { path: run, which: 'result' as const },
  outcome: 'all' as const,
  offset: 0,
  limit: 100,
  ...changes,
})

test('an evaluation keeps what both checkpoints said of each image, and repeats it in the counts', async () => {
  const evaluation = { images: folder, predictions: join(scratch(), 'rows.jsonl') }
  const [checkpoint, compareWith] = [visionModel('vit_hf'), visionModel('vit_transformers5')]
  const machine = { device: 'onnx', threads: 1 }
  const job = evaluateSchema.parse({ kind: 'evaluate', checkpoint, compareWith, out: run, ...machine, evaluation })
  const context = { emit: () => {}, signal: new AbortController().signal, resume: false }
  const { classification, dense, besideDense } = await evaluate(job, context)
  assert.deepEqual(readdirSync(join(run, 'predictions')).sort(), ['dense.images.json', 'result.images.json'])
  const rows = readFileSync(evaluation.predictions, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { file: string; label: string; predicted: string })
  const both = compareImages(asked({ before: { path: run, which: 'dense' } }))!
  assert.deepEqual(
    both.images.map(({ file, label, after }) => ({ file, label, predicted: after.predicted })),
    rows.map(({ file, label, predicted }) => ({ file, label, predicted })),
  )
  assert.deepEqual(both.paired, besideDense!.images)
  const rightOf = (which: 'before' | 'after') => both.images.filter((one) => one[which]!.rank === 0).length
  assert.deepEqual([rightOf('before'), rightOf('after')], [7 * dense!.classification!.top1, 7 * classification!.top1])
  assert.deepEqual(both.classes.map(({ name, n }) => [name, n]), [['class 0', 3], ['class 1', 2], ['class 2', 2]]) // oxfmt-ignore
  assert.equal(both.images[0]!.name, '0/0.png')
})

const said = (
  right: string,
  names: readonly string[] = [...right].map((_, at) => `/data/${at % 2 ? 'b' : 'a'}/${at}.png`),
) => ({
  classes: ['a', 'b', 'c'],
  images: names.map((file, at) => ({ file, label: at % 2 })),
  labels: [...right].map((_, at) => at % 2),
  predicted: [...right].map((is, at) => (is === '1' ? at % 2 : 2)),
  ranks: [...right].map((is) => (is === '1' ? 0 : 1)),
  logLikelihoods: { label: [...right].map(() => Math.log(0.25)), predicted: [...right].map(() => Math.log(0.5)) },
})
const kept = (right: string, names?: readonly string[]) => {
  const path = scratch()
  keepPredictions(path, 'result', keptOfImages(said(right, names)))
  return { path, which: 'result' as const }
}

test('images are found by what became of them, by class and by what they were taken for', () => {
  const two = { before: kept('110010'), after: kept('101000') }
  const found = (changes: object) => compareImages(asked({ ...two, ...changes }))!
  const names = (changes: object) => found(changes).images.map(({ name }) => name)
  assert.deepEqual(names({ outcome: 'changed' }), ['b/1.png', 'a/2.png', 'a/4.png'])
  assert.deepEqual(names({ outcome: 'right-to-wrong' }), ['b/1.png', 'a/4.png'])
  assert.deepEqual(names({ outcome: 'wrong-to-right' }), ['a/2.png'])
  assert.deepEqual(names({ outcome: 'both-wrong' }), ['b/3.png', 'b/5.png'])
  assert.deepEqual(names({ outcome: 'wrong', label: 'a' }), ['a/4.png'])
  assert.deepEqual(names({ predictedBefore: 'b', predicted: 'c' }), ['b/1.png'])
  const page = found({ offset: 1, limit: 2 })
  assert.deepEqual([page.total, page.images.map(({ name }) => name)], [6, ['b/1.png', 'a/2.png']])
  const { probability, ofLabel, ...after } = page.images[0]!.after
  assert.deepEqual([after, probability.toFixed(3), ofLabel.toFixed(3)], [{ predicted: 'c', rank: 1 }, '0.500', '0.250'])
  assert.deepEqual([page.paired!.rightToWrong, page.paired!.wrongToRight, page.paired!.p], [2, 1, 1])
  assert.deepEqual(page.classes, [
    { name: 'a', n: 3, rightToWrong: 1, wrongToRight: 1 },
    { name: 'b', n: 3, rightToWrong: 1, wrongToRight: 0 },
  ])
})

test('runs on other images are compared on those that both have, and runs without predictions not at all', () => {
  const places = ['/data/a/0.png', '/data/b/9.png', '/data/a/2.png']
  const found = compareImages(asked({ before: kept('110'), after: kept('101', places) }))!
  assert.deepEqual([found.n, found.unmatched], [2, { before: 1, after: 1 }])
  assert.equal(compareImages(asked({ before: kept('11'), after: { path: scratch(), which: 'result' } })), null)
  assert.throws(() => compareImages(asked({ after: kept('11'), outcome: 'changed' })), /outcome: changed asks for two/)
})

test('rows of Parquet files are kept by their number, and many images in a file that is not large', () => {
  const rows = said('11')
  const packed = keptOfImages({ ...rows, images: [5, 9].map((row) => ({ file: '/data/test.parquet', row, label: 0 })) })
  assert.deepEqual(
    [packed.folder, packed.files, packed.packed],
    ['/data', ['test.parquet'], { file: [0, 0], row: [5, 9] }],
  )
  const many = keptOfImages(said('1'.repeat(mostPredictions + 1)))
  assert.equal(many.labels.length, mostPredictions)
  const path = scratch()
  assert.match(keepPredictions(path, 'result', many)!, /the first 200000 are kept/)
  assert.ok(statSync(join(path, 'predictions/result.images.json')).size < 8e6)
})

test('a file that does not agree with itself is called damaged', () => {
  const { path } = kept('110')
  const file = join(path, 'predictions/result.images.json')
  const whole = JSON.parse(readFileSync(file, 'utf8')) as object
  for (const [changes, message] of [
    [{ ranks: [0, 0] }, /ranks: has 2 values for 3 images/],
    [{ labels: [0, 1, 3] }, /labels: counts a class that there is none of/],
    [{ packed: { file: [0, 1, 9], row: [0, 0, 0] } }, /packed: counts a file that there is none of/],
    [{ n: -1 }, /n: /],
  ] as const) {
    writeFileSync(file, JSON.stringify({ ...whole, ...changes }))
    assert.throws(() => readImagePredictions(path, 'result'), message)
  }
})

test('rows of text tasks are kept in the same way', () => {
  const row = { task: 'piqa' as const, index: 4, logLikelihoods: [-1.23456, -2], pred: 0, predNorm: 1, gold: 1 }
  const found = keptOfRows('piqa', [row])
  assert.deepEqual(predictionsSchema.parse(found), {
    version: 1,
    kind: 'choices',
    n: 1,
    task: 'piqa',
    rows: [4],
    gold: [1],
    predicted: [0],
    predictedNorm: [1],
    logLikelihoods: [[-1.2346, -2]],
  })
  const path = scratch()
  mkdirSync(join(path, 'predictions'))
  assert.equal(keepPredictions(path, 'dense', found), null)
  assert.deepEqual(readdirSync(join(path, 'predictions')), ['dense.piqa.json'])
})

test('thumbnails are drawn of files and of rows, again where a file changed, with errors in place of what is not there', async () => {
  const file = await writeImage(join(scratch(), 'a.png'), { colour: [255, 0, 0] })
  const parquet = join(scratch(), 'test.parquet')
  const bytes = [readFileSync(file), null, readFileSync(file)]
  writeFileSync(
    parquet,
    imageParquet({ image: bytes.map((each) => ({ bytes: each, path: null })), label: [0n, 1n, 0n] }),
  )
  const images = [
    { file: parquet, row: 2 },
    { file },
    { file: '/nowhere.png' },
    { file: parquet, row: 1 },
    { file: parquet, row: 9 },
  ]
  const draw = () => fileThumbnails({ images, size: 16 }, { signal: new AbortController().signal })
  const [last, first, ...broken] = await draw()
  assert.ok('dataUrl' in first! && 'dataUrl' in last!)
  assert.equal(last.dataUrl, first.dataUrl)
  const { width, height } = await sharp(Buffer.from(first.dataUrl.split(',')[1]!, 'base64')).metadata()
  assert.deepEqual([width, height], [16, 12])
  const messages = broken.map((one) => ('error' in one ? one.error.message : ''))
  for (const [at, expected] of [/nowhere\.png/, /row 1 holds no image|row 1: holds no image/, /row 9/].entries())
    assert.match(messages[at]!, expected)
  assert.equal((await draw())[1], first)
  await writeImage(file, { colour: [0, 255, 0], width: 31 })
  assert.notDeepEqual((await draw())[1], first)
})
