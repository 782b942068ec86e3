import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { criteria, type CriterionName, type EngineEvent, jobSchema } from '../../../engine/contract/index.ts'
import { runJob } from '../../../engine/jobs/index.ts'
import { measure } from '../../../engine/jobs/measure.ts'
import { measureSchema } from '../../../engine/jobs/settings.ts'
import { isStock } from '../../../engine/models/decoder-layers.ts'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'
import type { EncoderConfig } from '../../../engine/models/encoder-config.ts'
import { SecateurError } from '../../../engine/shared/errors.ts'
import { fixtureModel } from '../../fixtures/read.ts'
import { visionModel } from '../../fixtures/vision.ts'
import { writeImage } from '../../unit/data/images/image-files.ts'

const folder = mkdtempSync(join(tmpdir(), 'secateur-images-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const at = (...parts: string[]) => join(folder, ...parts)
const machine = { device: 'onnx', threads: 1 }

/** Three colours that are easily told apart, under names that the fixture's classifier has not, and under those it has. */
const colours: Record<string, [number, number, number]> = {
  red: [220, 30, 40],
  green: [30, 200, 60],
  blue: [40, 50, 230],
}
before(async () => {
  process.env['XDG_CACHE_HOME'] = at('cache')
  for (const [index, [name, colour]] of Object.entries(colours).entries())
    for (let i = 0; i < 6; i++) {
      const shade = colour.map((value) => value + 4 * i - 12)
      const split = i < 4 ? 'train' : 'test'
      await writeImage(at('new', split, name, `${i}.png`), { colour: shade })
      await writeImage(at('known', split, `class ${index}`, `${i}.png`), { colour: shade })
    }
})

async function run(job: object, { stopAt, resume = false }: { stopAt?: number; resume?: boolean } = {}) {
  const events: EngineEvent[] = []
  const controller = new AbortController()
  const emit = (event: EngineEvent) => {
    events.push(event)
    if (event.type === 'step' && event.metrics.step === stopAt)
      controller.abort(new SecateurError('interrupted', 'stopped'))
  }
  const result = await runJob(jobSchema.parse({ ...('adapter' in job && 'out' in job ? {} : machine), ...job }), {
    emit,
    signal: controller.signal,
    resume,
  })
  return { result, events }
}

const training = { batchSize: 4, learningRate: 1e-2, rank: 2, dropout: 0.1, seed: 3 }
const warningsOf = (events: readonly EngineEvent[]) =>
  events.flatMap((event) => (event.type === 'warning' ? [event.message] : []))
const classesOf = (path: string) => {
  using checkpoint = openCheckpoint(path)
  return (checkpoint.config as EncoderConfig).labels
}

test('new classes are learnt, and told the same by the adapter and by what it is merged into', async () => {
  for (const name of ['vit_hf', 'vit_timm'] as const) {
    const checkpoint = visionModel(name)
    const job = { kind: 'finetune', checkpoint, data: [at('new')], validation: at('new'), validationEvery: 20 }
    const { result, events } = await run({ ...job, ...training, steps: 40, out: at(name, 'run') })
    const reason = name === 'vit_hf' ? '"blue"' : 'has 3 classes, and the model tells 5 apart'
    assert.match(warningsOf(events).join(), new RegExp(`A new classifier of 3 classes is trained: .*${reason}`))
    // Rank 2 on q, k, v, o, fc1 and fc2 of two layers, and a classifier of three classes.
    const trained = 2 * 2 * (4 * 48 + 2 * 64) + 3 * 25
    assert.equal(result.trainable!.parameters, trained)
    using dense = openCheckpoint(checkpoint)
    for (const event of events)
      if (event.type === 'step') assert.equal(event.imagesPerSecond, event.tokensPerSecond / dense.config.maxPositions)
    assert.deepEqual([result.data!.rows, result.validation!.rows, result.validation!.lastTop1], [12, 6, 1])
    const validated = events.filter((event) => event.type === 'validated')
    assert.deepEqual(
      validated.map(({ step, top1 }) => [step, top1 !== undefined]),
      [
        [20, true],
        [40, true],
      ],
    )
    const config = JSON.parse(readFileSync(join(result.adapter!, 'adapter_config.json'), 'utf8')) as object
    const saved = name === 'vit_hf' ? 'classifier' : 'head'
    assert.partialDeepStrictEqual(config, { modules_to_save: [saved], task_type: null })
    const merged = at(name, 'merged')
    await run({ kind: 'merge', checkpoint, adapter: result.adapter, out: merged })
    assert.deepEqual(classesOf(merged), ['blue', 'green', 'red'])
    using whole = openCheckpoint(merged)
    // The classifier that was trained is part of the model, and the one before it is not.
    const pairs = trained - 3 * 25
    assert.equal(result.trainable!.fraction, trained / (whole.parameters + pairs))
    const scored = await Promise.all(
      [{ checkpoint, adapter: result.adapter }, { checkpoint: merged }].map(async (model, index) => {
        const predictions = at(name, `${index}.jsonl`)
        const scores = await run({ kind: 'evaluate', ...model, evaluation: { images: at('new'), predictions } })
        assert.equal(scores.result.classification!.top1, 1)
        return readFileSync(predictions, 'utf8').trim().split('\n')
      }),
    )
    for (const [row, line] of scored[0]!.entries()) {
      const [applied, written] = [line, scored[1]![row]!].map((text) => JSON.parse(text) as Prediction)
      assert.equal(applied!.predicted, written!.predicted)
      assert.ok(Math.abs(applied!.logLikelihoods.label - written!.logLikelihoods.label) < 1e-4)
    }
  }
})

interface Prediction {
  predicted: string
  logLikelihoods: { label: number }
}

test('a run that is stopped goes on to the same bits, augmentation, best step and classifier included', async () => {
  const job = {
    kind: 'prune',
    checkpoint: visionModel('vit_hf'),
    data: [at('new')],
    validation: 3,
    validationEvery: 2,
    ...training,
    augmentation: 'crop-and-flip',
    steps: 8,
    frequency: 2,
    ratio: 0.25,
    saveEvery: 3,
  }
  await run({ ...job, out: at('whole') })
  await assert.rejects(run({ ...job, out: at('stopped') }, { stopAt: 5 }), { kind: 'interrupted' })
  const { result } = await run({ ...job, out: at('stopped') }, { resume: true })
  for (const file of ['output/model.safetensors', 'output/config.json', 'metrics.jsonl', 'pruning.jsonl'])
    assert.deepEqual(readFileSync(at('stopped', file)), readFileSync(at('whole', file)), file)
  assert.deepEqual(classesOf(result.checkpoint!), ['blue', 'green', 'red'])
})

test('a new classifier of fewer classes is neither removed nor kept: parameters are counted beside the same classes', async () => {
  const settings = { ...training, steps: 2, frequency: 1, ratio: 0.5, protectLast: 0, uniform: true }
  const job = { kind: 'prune', checkpoint: visionModel('vit_hf'), ...settings, criterion: 'magnitude' }
  const [own, other] = await Promise.all(
    ['known', 'new'].map(async (data) => (await run({ ...job, data: [at(data)], out: at('classes', data) })).result),
  )
  // Three classes in place of five, each of 24 weights and a bias.
  assert.equal(own!.parameters!.before - other!.parameters!.before, 2 * 25)
  const removed = [own!, other!].map(({ parameters }) => parameters!.before - parameters!.after)
  assert.equal(removed[1], removed[0])
  assert.equal(other!.removal!.parameters.actual, removed[1]! / other!.parameters!.before)
  const card = readFileSync(join(other!.checkpoint!, 'README.md'), 'utf8')
  assert.match(card, new RegExp(`${((100 * other!.parameters!.after) / other!.parameters!.before).toFixed(0)}% of its`))

  // What a budget and a fraction of all parameters leave is counted so too.
  const { ratio: _, uniform: __, ...free } = job
  const { result: spent } = await run({
    ...free,
    data: [at('new')],
    budget: 'parameters=0.7',
    out: at('classes/spent'),
  })
  const budget = spent.removal!.budget!
  assert.deepEqual([budget.before, budget.actual], [spent.parameters!.before, spent.parameters!.after])
  assert.ok(budget.planned === 0.7 * budget.before && budget.actual <= budget.planned, JSON.stringify(budget))

  const { result: tuned } = await run({
    kind: 'finetune',
    checkpoint: job.checkpoint,
    data: [at('new')],
    ...training,
    steps: 1,
    out: at('classes/tuned'),
  })
  const merging = { kind: 'merge', checkpoint: job.checkpoint, adapter: tuned.adapter, out: at('classes/merged') }
  const { result: merged } = await run(merging)
  assert.equal(merged.parameters!.after, merged.parameters!.before)
})

test('every criterion prunes images; channels alone leave a stock checkpoint', async () => {
  for (const criterion of Object.keys(criteria) as CriterionName[]) {
    const removes = criteria[criterion].removes
    const job = {
      kind: 'prune',
      checkpoint: visionModel('vit_hf'),
      data: [at('known')],
      ...training,
      criterion,
      steps: 2,
      frequency: 1,
      ratio: 0.5,
      protectLast: 0,
      calibrationSamples: 5,
      ...(removes === 'weights' && { schedule: 'one-shot' }),
      ...(removes === 'groups' && { prune: ['channels'] }),
      evaluation: { images: at('known') },
      out: at('criteria', criterion),
    }
    const { result } = await run(job)
    assert.equal(result.classification!.n, 6, criterion)
    using pruned = openCheckpoint(result.checkpoint!)
    const { config } = pruned
    assert.equal((config as EncoderConfig).labels.length, 5)
    assert.equal(config.layers.length, removes === 'layers' ? 1 : 2, criterion)
    if (removes !== 'groups') continue
    const channels = config.layers.reduce((sum, layer) => sum + layer.channels, 0)
    assert.deepEqual([config.layers.map(({ heads }) => heads), channels], [[4, 4], 40], criterion)
    const stock = result.compatibility!.find(({ program }) => program === 'transformers')!.loads === 'yes'
    assert.equal(stock, isStock(config.layers), criterion)
  }
})

test('a model is taken for images of another size, trained, scored, merged and pruned in it', async () => {
  const checkpoint = visionModel('vit_hf')
  const larger = { checkpoint, data: [at('new')], imageSize: 24, ...training }
  const { result: tuned } = await run({ kind: 'finetune', ...larger, steps: 2, out: at('larger', 'run') })
  const { adapter } = tuned
  const scoring = { kind: 'evaluate', checkpoint, adapter, evaluation: { images: at('new') } }
  await assert.rejects(
    run(scoring),
    /was trained on images of 24 x 24 pixels, and the model takes 16 x 12: give --image-size 24/,
  )
  const { result: applied } = await run({ ...scoring, imageSize: 24 })
  const merging = { kind: 'merge', checkpoint, adapter, imageSize: 24, out: at('larger', 'merged') }
  await run(merging)
  const { result: merged } = await run({ kind: 'evaluate', checkpoint: merging.out, evaluation: { images: at('new') } })
  assert.deepEqual(merged.classification!.confusion, applied.classification!.confusion)
  const { result: pruned } = await run({
    kind: 'prune',
    ...larger,
    steps: 2,
    frequency: 1,
    out: at('larger', 'pruned'),
  })
  using written = openCheckpoint(pruned.checkpoint!)
  assert.deepEqual((written.config as EncoderConfig).imageSize, [24, 24])
  assert.deepEqual(written.tensors.get('vit.embeddings.position_embeddings')!.shape, [1, 37, 24])
  const refused = { kind: 'finetune', data: [at('new')], steps: 1, out: at('larger', 'no') }
  await assert.rejects(
    run({ ...refused, checkpoint, imageSize: 3 }),
    /imageSize: 3 pixels are less than a patch of 4 x 4/,
  )
  await assert.rejects(
    run({ ...refused, checkpoint: fixtureModel('llama_mha'), imageSize: 24 }),
    /imageSize: a llama is a language model/,
  )
})

test('layers of a model of images are measured on images that it knows', async () => {
  const settings = { checkpoint: visionModel('vit_hf'), ...machine, calibrationSamples: 6, rank: 2 }
  const of = (data: string) => measure(measureSchema.parse({ ...settings, data: [data] }), new AbortController().signal)
  const { measurements } = await of(at('known'))
  assert.equal(measurements.length, 2)
  for (const { influence, linearity } of measurements) assert.ok(influence > 0 && linearity > 0 && linearity <= 1)
  await assert.rejects(of(at('new')), /has the class "blue", which the model does not know/)
})

test('what has no meaning for images is refused by name, and images by a language model', async () => {
  const job = { kind: 'finetune', checkpoint: visionModel('vit_hf'), data: [at('new')], steps: 1, out: at('no') }
  const refused: [object, RegExp][] = [
    [{ packing: 'pad' }, /packing: a vit is a model of images, which reads no text/],
    [{ sampleEvery: 1, samplePrompts: ['Once'] }, /sampleEvery: a vit/],
    [{ sequenceLength: 99 }, /sequenceLength: an image is 13 tokens/],
    [{ targetModules: ['q', 'gate'] }, /targetModules: a vit has no linear layer gate: it has q, k, v, o, fc1, fc2/],
    [{ data: [at('new'), at('known')] }, /data: 2 paths are given/],
    [{ validation: at('known') }, /has the class "class 0", which the model does not know; it knows blue, green, red/],
    [{ checkpoint: fixtureModel('llama_mha'), augmentation: 'flip' }, /augmentation: a llama is a language model/],
    [{ checkpoint: fixtureModel('llama_mha'), trainClassifier: true }, /trainClassifier: a llama has no classifier/],
    [
      { checkpoint: fixtureModel('llama_mha'), targetModules: ['fc1'] },
      /targetModules: a llama has no linear layer fc1/,
    ],
  ]
  for (const [settings, message] of refused) await assert.rejects(run({ ...job, ...settings }), message)
  const { steps: _, ...pruning } = job
  await assert.rejects(
    run({ ...pruning, kind: 'prune', schedule: 'one-shot', steps: 1 }),
    /schedule: LoRAPrune looks at gradients, and before the first step a new classifier passes none on/,
  )
})

test('images that cannot be read stop a run, or are left out up to a part of them', async () => {
  const data = at('broken')
  for (const name of ['a', 'b']) await writeImage(join(data, name, '1.png'))
  writeFileSync(join(data, 'b/2.png'), 'no image')
  const job = { kind: 'finetune', checkpoint: visionModel('vit_hf'), data: [data], steps: 1, out: at('skips') }
  await assert.rejects(run(job), /2\.png/)
  await assert.rejects(run({ ...job, badRows: 'skip', maxLostRows: 0.2 }), /1 of 3 images cannot be read/)
  const { result } = await run({ ...job, badRows: 'skip' })
  assert.deepEqual([result.data!.documents, result.data!.skipped], [2, 1])
})

test('the dense model teaches classes that it knows, and no others', async () => {
  const job = { kind: 'finetune', checkpoint: visionModel('vit_hf'), ...training, steps: 2, distil: 0.5, dropout: 0 }
  // Before the first step the adapter adds nothing, so that both tell the same, and half of the loss is nothing.
  const losses = async (more: object) => {
    const { events } = await run({ ...job, data: [at('known')], ...more })
    return events.flatMap((event) => (event.type === 'step' ? [event.metrics.loss!] : []))
  }
  const taught = await losses({ out: at('taught') })
  const alone = await losses({ distil: 0, out: at('untaught') })
  assert.ok(Math.abs(taught[0]! - alone[0]! / 2) < 1e-5, `losses ${taught[0]} and ${alone[0]}`)
  await assert.rejects(losses({ distil: 1, out: at('itself') }), /distil: .*a fine-tune begins as that.*--teacher/)
  await assert.rejects(run({ ...job, data: [at('new')], out: at('not-taught') }), /distil: .*does not know the classes/)
})
