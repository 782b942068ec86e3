import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { evaluateSchema, type EngineEvent } from '../../../engine/contract/index.ts'
import { evaluate } from '../../../engine/jobs/evaluate.ts'
import { inspect } from '../../../engine/jobs/inspect.ts'
import { visionModel } from '../../fixtures/vision.ts'
import { fixtureModel } from '../../fixtures/read.ts'
import { scratch, writeImage } from '../data/images/image-files.ts'

let folder = ''
before(async () => {
  process.env['XDG_CACHE_HOME'] = scratch()
  folder = scratch()
  for (let i = 0; i < 7; i++)
    await writeImage(join(folder, `test/class ${i % 3}/${i}.png`), { colour: [i * 36, 255 - i * 30, (i * 97) % 256] })
})

const run = async (checkpoint: string, evaluation: object) => {
  const events: EngineEvent[] = []
  const context = {
    emit: (event: EngineEvent) => events.push(event),
    signal: new AbortController().signal,
    resume: false,
  }
  const job = evaluateSchema.parse({ kind: 'evaluate', checkpoint, device: 'onnx', threads: 1, evaluation })
  return { result: await evaluate(job, context), events }
}

test('images are classified: accuracies, classes, confusion and predictions agree with each other', async () => {
  const predictions = join(scratch(), 'rows.jsonl')
  const { result } = await run(visionModel('vit_hf'), { images: folder, predictions, batchTokens: 26 })
  const score = result.classification!
  const rows = readFileSync(predictions, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Row)
  interface Row {
    file: string
    label: string
    predicted: string
    logLikelihoods: { label: number; predicted: number }
  }
  assert.equal(rows.length, 7)
  const right = rows.filter(({ label, predicted }) => label === predicted).length
  assert.deepEqual([score.n, score.top1, score.top5], [7, right / 7, 1])
  for (const { file, label, logLikelihoods } of rows) {
    assert.ok(file.includes(`/${label}/`), `${file} has the label ${label}`)
    assert.ok(logLikelihoods.predicted >= logLikelihoods.label && logLikelihoods.predicted < 0)
  }
  assert.deepEqual(
    score.perClass.map(({ n }) => n),
    [3, 2, 2, 0, 0],
  )
  assert.equal(score.perClass[3]!.acc, null)
  for (const [label, row] of score.confusion!.entries())
    assert.equal(
      row.reduce((sum, count) => sum + count, 0),
      score.perClass[label]!.n,
    )
  const again = await run(visionModel('vit_hf'), { images: folder, batchTokens: 1000 })
  assert.deepEqual(again.result.classification!.confusion, score.confusion)
})

test('inspect says what a model of images looks at', async () => {
  const { images, warnings } = await inspect(visionModel('vit_hf'))
  assert.deepEqual(warnings, [])
  assert.deepEqual(images, {
    size: { width: 16, height: 12 },
    patch: { width: 4, height: 4 },
    colours: 3,
    classes: [0, 1, 2, 3, 4].map((label) => `class ${label}`),
    preprocessing: {
      resize: 'to 16 x 12',
      filter: 'bilinear',
      crop: null,
      mean: [0.5, 0.5, 0.5],
      deviation: [0.5, 0.5, 0.5],
      source: null,
    },
  })
  assert.equal((await inspect(fixtureModel('llama_mha'))).images, null)
})

test('what does not go together is refused by name', async () => {
  await assert.rejects(run(visionModel('vit_hf'), {}), /images: say which images/)
  await assert.rejects(
    run(visionModel('vit_hf'), { images: folder, perplexity: { a: '/x' } }),
    /perplexity: .* is a model of images/,
  )
  await assert.rejects(run(fixtureModel('llama_mha'), { images: folder }), /images: .* is a language model/)
  const others = scratch()
  await writeImage(join(others, 'zebra/1.png'))
  await assert.rejects(
    run(visionModel('vit_hf'), { images: others }),
    /has the class "zebra", which the model does not know; it knows class 0/,
  )
  // Classes without names are told apart by their number alone.
  await assert.rejects(run(visionModel('deit'), { images: others }), /has 1 classes, and the model tells 5 apart/)
})
