// A process that does one kind of work on a ViT with random weights whenever a line arrives, as torch_vit.py does.
import { parseArgs } from 'node:util'
import { chooseBackend } from '../../engine/backends/choose.ts'
import { modelOf } from '../../engine/models/drawn-model.ts'
import type { TrainingBatch } from '../../engine/data/batches.ts'
import { createAdapter } from '../../engine/lora/adapter.ts'
import { newClassifier } from '../../engine/lora/classifier.ts'
import { encoderConfig, patchCount, unnamedLabels } from '../../engine/models/encoder-config.ts'
import { classLogits, embedBatch, forward } from '../../engine/models/forward.ts'
import { linearNames } from '../../engine/models/tensors.ts'
import { Random } from '../../engine/shared/random.ts'
import { frozenFloats } from '../../engine/tensor/frozen-weight.ts'
import { Trainer } from '../../engine/training/trainer.ts'
import { answerLines } from './answer.ts'

const { values } = parseArgs({
  options: { shape: { type: 'string' }, mode: { type: 'string' }, threads: { type: 'string' } },
})
const [width, layers, heads, channels, size, patch, rows, classes] = values.shape!.split(',').map(Number) as [
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
]
await chooseBackend({ device: 'onnx', threads: Number(values.threads) })

const config = encoderConfig({
  family: 'vit',
  hiddenSize: width,
  headSize: width / heads,
  layers: Array.from({ length: layers }, () => ({ heads, keyValueHeads: heads, channels })),
  normEpsilon: 1e-6,
  source: {},
  imageSize: [size, size],
  patchSize: [patch, patch],
  colours: 3,
  prefixTokens: 1,
  queryKeyValueBias: true,
  labels: unnamedLabels(classes),
})
const random = new Random(1)
const model = modelOf(config, (count, columns) => {
  const data = new Float32Array(count * columns)
  for (let i = 0; i < data.length; i++) data[i] = (random.bits() / 2 ** 32 - 0.5) * 0.05
  return frozenFloats(data, count, columns)
})
const batch: TrainingBatch = {
  patches: Float32Array.from({ length: rows * patchCount(config) * config.patchValues }, () => random.normal()),
  labels: Int32Array.from({ length: rows }, () => random.integer(classes)),
  rows,
  length: config.maxPositions,
  targets: rows,
}
const settings = { rank: 8, alpha: 16, dropout: 0, rankStabilised: false, targetModules: linearNames(config) }
const adapter = createAdapter(config, settings, random.fork('adapter'), newClassifier(classes, width))
const trainer = new Trainer(
  model,
  adapter,
  { perEpoch: 1, tokensPerEpoch: rows, at: () => batch },
  {
    steps: 1e6,
    gradientAccumulation: 1,
    maxGradientNorm: 1,
    seed: 1,
    learningRate: 1e-4,
    warmupRatio: 0,
    learningRateSchedule: 'constant',
    weightDecay: 0.01,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    gradientCheckpointing: values.mode === 'step-keep' ? 'off' : 'on',
  },
)

function classify(): void {
  using pass = model.family.makePass(config, rows, config.maxPositions)
  const x = forward(model, embedBatch(model, batch), pass)
  const logits = classLogits(x, model, pass)
  logits.dataSync()
  x.dispose()
  logits.dispose()
}

let step = 0
await answerLines(rows, () => (values.mode === 'forward' ? classify() : trainer.step(++step)))
