import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { ImageBatch } from '../../../engine/data/batches.ts'
import { writePatches } from '../../../engine/data/images/patches.ts'
import { type Adapter, adapterFrom, adapterValues, lowRankOf } from '../../../engine/lora/adapter.ts'
import { mergedReader } from '../../../engine/lora/merge.ts'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'
import type { EncoderConfig } from '../../../engine/models/encoder-config.ts'
import type { LayerMask, Model } from '../../../engine/models/family.ts'
import { classLogits, embedBatch, forward } from '../../../engine/models/forward.ts'
import { loadModel } from '../../../engine/models/load.ts'
import { countParameters, linearNames } from '../../../engine/models/tensors.ts'
import { writeCheckpoint } from '../../../engine/models/write-checkpoint.ts'
import { type GroupMasks, maskTensors } from '../../../engine/pruning/masks.ts'
import { shrunkConfig, shrunkTensors } from '../../../engine/pruning/shrink.ts'
import { tf } from '../../../engine/tensor/tf.ts'
import { lossAndGradients, passOf } from '../../../engine/training/gradients.ts'
import { loadVisionFixture, VISION_FIXTURES, type VisionFixture, visionModel } from '../../fixtures/vision.ts'
import { assertMatrices, assertWithin, startBackend } from './shared.ts'

before(startBackend)

function open(name: (typeof VISION_FIXTURES)[number]) {
  const checkpoint = openCheckpoint(visionModel(name))
  after(() => checkpoint.close())
  const fixture = loadVisionFixture(name)
  const model = loadModel(checkpoint)
  return { fixture, checkpoint, model, adapter: adapterOf(model, fixture), batch: batchOf(model, fixture) }
}

function batchOf({ config }: Model, { pixels, labels }: VisionFixture): ImageBatch {
  const encoder = config as EncoderConfig
  const size = pixels.data.length / labels.length
  const patches = new Float32Array(pixels.data.length)
  for (const image of labels.keys())
    writePatches(pixels.data.subarray(image * size, (image + 1) * size), encoder, patches, image * size)
  const rows = labels.length
  return { patches, labels: Int32Array.from(labels), rows, length: encoder.maxPositions, targets: rows }
}

function adapterOf({ config }: Model, { lora }: VisionFixture): Adapter {
  const alpha = lora.scale * lora.rank
  const settings = { rank: lora.rank, alpha, dropout: 0, rankStabilised: false, targetModules: linearNames(config) }
  return adapterFrom(config, settings, (layer, name) => {
    const { a, b } = lora.adapter[`layers.${layer}.${name}`]!
    return { a: a.data, b: b.data }
  })
}

function logitsOf(model: Model, batch: ImageBatch, adapter?: Adapter, masks?: LayerMask[]): Float32Array {
  using pass = passOf(model.config, batch)
  const x = forward(model, embedBatch(model, batch), pass, {
    extras: (layer) => ({ lowRank: adapter && lowRankOf(adapter, layer), mask: masks?.[layer] }),
  })
  return classLogits(x, model, pass).dataSync() as Float32Array
}

const masksOf = ({ masked }: VisionFixture): GroupMasks =>
  masked.heads.map((heads, layer) => ({
    heads: Uint8Array.from(heads),
    channels: Uint8Array.from(masked.channels[layer]!),
  }))

for (const name of VISION_FIXTURES) {
  test(`${name}: logits, adapted loss and every adapter gradient are PyTorch's`, () => {
    const { fixture, model, adapter, batch } = open(name)
    assert.equal(countParameters(model.config), fixture.parameters)
    assertWithin(logitsOf(model, batch), fixture.logits.data, 1e-4, 'logits')
    assertWithin(logitsOf(model, batch, adapter), fixture.lora.logits.data, 1e-4, 'adapted logits')
    for (const keep of [false, true]) {
      const { loss, gradients } = lossAndGradients(model, adapter, batch, tf.scalar(batch.targets), { keep })
      assertWithin(loss.dataSync(), [fixture.lora.loss], 1e-5, 'loss')
      assertMatrices(gradients, fixture.lora.gradients, 1e-5, 'gradient')
    }
  })

  test(`${name}: masked, and merged, cut and written, it computes the same`, async (t) => {
    const { fixture, checkpoint, model, adapter, batch } = open(name)
    const masks = masksOf(fixture)
    const expected = fixture.masked.logits.data
    assertWithin(logitsOf(model, batch, adapter, maskTensors(model.config, masks)), expected, 1e-4, 'masked logits')
    const above = mkdtempSync(join(tmpdir(), 'vit-'))
    t.after(() => rmSync(above, { recursive: true }))
    const folder = join(above, 'pruned')
    const read = mergedReader(model.config, (tensor) => checkpoint.read(tensor), adapterValues(adapter))
    const config = shrunkConfig(model.config, masks)
    const tensors = shrunkTensors(model.config, read, masks)
    await writeCheckpoint(folder, { config, dtype: 'float32', tensors })
    using pruned = openCheckpoint(folder)
    assert.deepEqual(
      pruned.config.layers.map(({ heads, channels }) => [heads, channels]),
      masks.map(({ heads, channels }) => [heads, channels].map((mask) => mask.filter((keeps) => keeps === 1).length)),
    )
    assertWithin(logitsOf(loadModel(pruned), batch), expected, 1e-4, 'logits of what was written')
  })
}

test('a classifier that is trained takes the place of the stored one, and has gradients', () => {
  const { fixture, model, adapter, batch } = open('vit_hf')
  const stored = model.head!
  const trained = { ...adapter, classifier: { a: tf.zeros([4, 24]), b: tf.zeros([4]) } }
  const labels = Int32Array.from([1, 3, 0])
  const divisor = tf.scalar(3)
  const { loss, gradients } = lossAndGradients(model, trained, { ...batch, labels }, divisor)
  // Zeros say nothing: every class is as likely as every other one.
  assertWithin(loss.dataSync(), [Math.log(4)], 1e-6, 'loss')
  const { b } = gradients.at(-1)!['classifier']!
  const share = (label: number) => (0.25 * 3 - labels.filter((each) => each === label).length) / 3
  assertWithin(b.dataSync(), [0, 1, 2, 3].map(share), 1e-6, 'gradient of the bias')
  const kept = lossAndGradients(model, trained, { ...batch, labels }, divisor, { keep: true })
  assertWithin(
    kept.gradients.at(-1)!['classifier']!.a.dataSync(),
    gradients.at(-1)!['classifier']!.a.dataSync(),
    1e-6,
    'gradient of the weight',
  )
  assert.equal(model.head, stored)
  assert.equal(fixture.labels.length, batch.rows)
})
