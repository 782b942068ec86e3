import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { chooseBackend } from '../../../engine/backends/choose.ts'
import { imageBatches } from '../../../engine/data/images/image-batches.ts'
import { readPreprocessing } from '../../../engine/data/images/preprocessing.ts'
import type { EncoderConfig } from '../../../engine/models/encoder-config.ts'
import { parseConfig } from '../../../engine/models/registry.ts'
import { SecateurError } from '../../../engine/shared/errors.ts'
import { stateFileIn, trainVit } from '../../../scripts/vision/train-vit.ts'

const folder = mkdtempSync(join(tmpdir(), 'secateur-from-scratch-'))
after(() => rmSync(folder, { recursive: true }))
before(() => chooseBackend({ device: 'onnx', threads: 1 }))

const config = parseConfig(
  {
    architectures: ['ViTForImageClassification'],
    model_type: 'vit',
    hidden_size: 16,
    intermediate_size: 32,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    image_size: 8,
    patch_size: 4,
    id2label: { 0: 'dark', 1: 'bright' },
  },
  'config.json',
) as EncoderConfig

/** Dark images and bright ones. */
const source = {
  labels: Int32Array.from({ length: 16 }, (_, image) => image % 2),
  read: (image: number, target: Uint8Array) => target.fill(60 + 6 * image + (image % 2) * 80),
}
const batches = imageBatches(source, {
  ...config,
  rows: 8,
  length: config.maxPositions,
  preprocessing: readPreprocessing('', { source: {}, imageSize: config.imageSize, colours: 3 }),
  augmentation: 'none',
  seed: 0,
})
const training = {
  rowsPerStep: 8,
  steps: 12,
  learningRate: 5e-3,
  warmupRatio: 0.1,
  maxGradientNorm: 1,
  initializerRange: 0.1,
  beta1: 0.9,
  beta2: 0.98,
  epsilon: 1e-8,
  weightDecay: 0.05,
}

/** Weights and the losses that were told of; the signal stops it after a step. */
async function train(name: string, stopAfter = Infinity) {
  const losses: number[] = []
  const controller = new AbortController()
  const weights = await trainVit({
    config,
    training,
    seed: 1,
    batchAt: (step) => batches.at(step - 1),
    stateFile: stateFileIn(join(folder, name)),
    every: 4,
    signal: controller.signal,
    onReport({ step, loss }) {
      losses.push(loss)
      if (step === stopAfter) controller.abort(new SecateurError('interrupted', 'stopped'))
    },
  })
  return { losses, weights: Object.fromEntries([...weights].map(([tensor, value]) => [tensor, [...value.dataSync()]])) }
}

test('a ViT learns from random weights, and a training that was stopped ends at the same bits', async () => {
  const whole = await train('whole')
  assert.equal(whole.losses.length, 3)
  assert.ok(whole.losses[2]! < 0.5 * whole.losses[0]!, whole.losses.join())
  await assert.rejects(train('parts', 8), /stopped/)
  const { weights, losses } = await train('parts')
  assert.deepEqual(losses, whole.losses.slice(2))
  assert.deepEqual(weights, whole.weights)
})
