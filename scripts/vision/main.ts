// npm run train-vit -- --images FOLDER --out FOLDER: trains a small ViT from random weights on labelled images, with the
// engine itself. Leaves a checkpoint, and its curve in curve.jsonl; run again, it goes on where it was stopped.
import { appendFileSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { chooseBackend } from '../../engine/backends/choose.ts'
import { openImageSet } from '../../engine/data/images/image-set.ts'
import { openImageStore } from '../../engine/data/images/image-store.ts'
import { readPreprocessing } from '../../engine/data/images/preprocessing.ts'
import { classify } from '../../engine/evaluation/classification.ts'
import { matchClasses } from '../../engine/evaluation/match-classes.ts'
import type { EncoderConfig } from '../../engine/models/encoder-config.ts'
import { parseConfig } from '../../engine/models/registry.ts'
import { countParameters } from '../../engine/models/tensors.ts'
import { modelOf } from '../../engine/training/from-scratch.ts'
import { shiftedBatches } from './shifted-batches.ts'
import { stateFileIn, trainVit } from './train-vit.ts'
import { writeVit } from './write-vit.ts'

const { values } = parseArgs({
  options: {
    images: { type: 'string' },
    out: { type: 'string' },
    size: { type: 'string', default: '32' },
    patch: { type: 'string', default: '4' },
    hidden: { type: 'string', default: '128' },
    channels: { type: 'string', default: '384' },
    layers: { type: 'string', default: '6' },
    heads: { type: 'string', default: '8' },
    rows: { type: 'string', default: '64' },
    epochs: { type: 'string', default: '25' },
    every: { type: 'string', default: '100' },
    shift: { type: 'string', default: '3' },
    'learning-rate': { type: 'string', default: '1e-3' },
    seed: { type: 'string', default: '0' },
    threads: { type: 'string' },
  },
})
if (values.images === undefined || values.out === undefined)
  throw new TypeError('say --images FOLDER (of class folders) and --out FOLDER')
const out = values.out
if (existsSync(join(out, 'model'))) {
  console.error(`it is trained: ${join(out, 'model')}`)
  process.exit()
}
const controller = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => controller.abort())
const { signal } = controller

await chooseBackend(values.threads === undefined ? {} : { threads: Number(values.threads) })
mkdirSync(out, { recursive: true })
const [train, test] = await Promise.all((['train', 'test'] as const).map(open))
const config = parseConfig(
  {
    architectures: ['ViTForImageClassification'],
    model_type: 'vit',
    hidden_size: Number(values.hidden),
    intermediate_size: Number(values.channels),
    num_hidden_layers: Number(values.layers),
    num_attention_heads: Number(values.heads),
    image_size: Number(values.size),
    patch_size: Number(values.patch),
    num_channels: 3,
    qkv_bias: true,
    hidden_act: 'gelu',
    layer_norm_eps: 1e-6,
    id2label: Object.fromEntries(train!.set.classes.map((name, i) => [String(i), name])),
  },
  'flags of train-vit',
) as EncoderConfig
const rows = Number(values.rows)
const training = {
  rowsPerStep: rows,
  steps: Math.round((Number(values.epochs) * train!.store.labels.length) / rows),
  learningRate: Number(values['learning-rate']),
  warmupRatio: 0.1,
  maxGradientNorm: 1,
  initializerRange: 0.02,
  beta1: 0.9,
  beta2: 0.98,
  epsilon: 1e-8,
  weightDecay: 0.05,
}
const seed = Number(values.seed)
const batch = { ...config, rows, length: config.maxPositions, preprocessing: train!.preprocessing }
const batchAt = shiftedBatches(train!.store, { ...batch, seed, shift: Number(values.shift) })
console.error(`${countParameters(config)} parameters, ${training.steps} steps of ${rows} images`)
const weights = await trainVit({
  config,
  training,
  seed,
  batchAt,
  stateFile: stateFileIn(out),
  every: Number(values.every),
  signal,
  async onReport({ step, loss, secondsLeft, weights: now }) {
    const { score } = await classify(modelOf(config, now), {
      store: test!.store,
      labels: config.labels,
      classOf: matchClasses(test!.set.classes, config.labels, test!.set.path),
      batch,
      signal,
      onProgress: () => undefined,
    })
    const point = { step, loss, top1: score.top1, top5: score.top5, stderr: score.stderr }
    appendFileSync(join(out, 'curve.jsonl'), `${JSON.stringify(point)}\n`)
    const left = `${Math.ceil(secondsLeft / 60)} min left`
    console.error(`step ${step}, loss ${loss.toFixed(3)}, top-1 ${(100 * score.top1).toFixed(1)} %, ${left}`)
  },
})
await writeVit(join(out, 'model'), config, weights, 'float32')
console.error(`written: ${join(out, 'model')}`)

async function open(split: 'train' | 'test') {
  const side = Number(values.size)
  const set = await openImageSet(values.images!, split, signal)
  const preprocessing = readPreprocessing('', { source: {}, imageSize: [side, side], colours: 3 })
  const store = await openImageStore(set, preprocessing, [side, side], { badRows: 'refuse', signal })
  return { set, store, preprocessing }
}
