import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Checkpoint, openCheckpoint } from '../../../engine/models/checkpoint.ts'
import { writeCheckpoint } from '../../../engine/models/write-checkpoint.ts'
import { countParameters } from '../../../engine/models/tensors.ts'
import { type Adapter, adapterValues } from '../../../engine/lora/adapter.ts'
import { mergedReader, readerOf8Bits } from '../../../engine/lora/merge.ts'
import type { HeadGroups } from '../../../engine/models/family.ts'
import { loadModel } from '../../../engine/models/load.ts'
import { depth } from '../../../engine/pruning/criteria/depth.ts'
import type { Compensation } from '../../../engine/pruning/criteria/criterion.ts'
import { Flap } from '../../../engine/pruning/criteria/flap.ts'
import { groupCount } from '../../../engine/pruning/groups.ts'
import { fullMasks, type GroupMasks, isEmptyLayer, maskTensors, selectMasks } from '../../../engine/pruning/masks.ts'
import type { Base } from '../../../engine/pruning/prune.ts'
import { shrunkConfig, shrunkTensors } from '../../../engine/pruning/shrink.ts'
import { Random } from '../../../engine/shared/random.ts'
import type { WeightType } from '../../../engine/tensor/stored-tensor.ts'
import { FIXTURES } from '../../fixtures/read.ts'
import { assertWithin, forward, largestDifference, openFixture, startBackend } from '../models/shared.ts'

let folder = ''
let written = 0
before(async () => {
  await startBackend()
  folder = await mkdtemp(join(tmpdir(), 'secateur-shrink-'))
})
after(() => rm(folder, { recursive: true }))

/** Writes what the masks leave and reads it back. */
async function shrink(
  checkpoint: Checkpoint,
  masks: GroupMasks,
  adapter: Adapter | null,
  compensation: Compensation | null = null,
  { dtype = checkpoint.dtype, base = (_, read) => read }: { dtype?: WeightType; base?: Base } = {},
) {
  const { config } = checkpoint
  const path = join(folder, String(written++))
  const own = base(config, (name: string) => checkpoint.read(name))
  const read = adapter ? mergedReader(config, own, adapterValues(adapter)) : own
  await writeCheckpoint(path, {
    config: shrunkConfig(config, masks, compensation !== null),
    dtype,
    tensors: shrunkTensors(config, read, masks, compensation),
  })
  const shrunk = openCheckpoint(path)
  after(() => shrunk[Symbol.dispose]())
  assert.equal(shrunk.parameters, countParameters(shrunk.config))
  return { checkpoint: shrunk, model: loadModel(shrunk) }
}

for (const name of ['llama_mha', 'llama_gqa'] as const) {
  test(`${name}: masked, merged and shrunk logits are one another's and PyTorch's`, async () => {
    const { fixture, checkpoint, model, adapter, batch } = openFixture(name)
    const { layers, logits, shrunkLayers, shrunkParameters } = fixture.masked!
    const masks = layers.map(({ keyValueHeads, channels }) => ({
      heads: Uint8Array.from(keyValueHeads),
      channels: Uint8Array.from(channels),
    }))
    const tensors = maskTensors(model.config, masks)
    assertWithin(forward(model, batch, { adapter, masks: tensors }), logits.data, 1e-4, 'masked logits')
    const shrunk = await shrink(checkpoint, masks, adapter)
    assertWithin(forward(shrunk.model, batch), logits.data, 1e-4, 'logits of the shrunk checkpoint')
    assert.equal(shrunk.checkpoint.parameters, shrunkParameters)
    assert.deepEqual(
      shrunk.checkpoint.config.layers.map(({ heads, keyValueHeads, channels }) => ({
        heads,
        key_value_heads: keyValueHeads,
        channels,
      })),
      shrunkLayers,
    )
  })
}

test('every family and type shrinks to what its masks leave', async () => {
  const random = new Random(9)
  const draw = (count: number) => {
    const mask = Uint8Array.from({ length: count }, () => (random.uniform() < 0.5 ? 0 : 1))
    mask[0] = 1
    return mask
  }
  for (const name of FIXTURES) {
    const { checkpoint, model, batch } = openFixture(name)
    for (const headGroups of ['key-value-heads', 'query-heads'] as const satisfies HeadGroups[]) {
      const masks = model.config.layers.map((_, layer) => ({
        heads: draw(groupCount(model.config, layer, 'heads', headGroups)),
        channels: draw(groupCount(model.config, layer, 'channels', headGroups)),
      }))
      const expected = forward(model, batch, { masks: maskTensors(model.config, masks) })
      // Nothing is merged, so that 16-bit weights are cut without being rounded again.
      const shrunk = await shrink(checkpoint, masks, null)
      assert.ok(shrunk.checkpoint.parameters < checkpoint.parameters)
      assertWithin(forward(shrunk.model, batch), expected, 1e-4, `${name}, ${headGroups}`)
    }
  }
})

for (const name of ['llama_gqa', 'llama_f16', 'phi3_fused'] as const) {
  test(`${name}: merged into the weights in 8 bits that were trained, it computes what was trained`, async () => {
    const { checkpoint, model, adapter, batch } = openFixture(name, { int8: true })
    const masks = fullMasks(model.config, 'key-value-heads')
    for (const mask of masks) mask.channels.fill(0, 5, 20)
    const trained = forward(model, batch, { adapter, masks: maskTensors(model.config, masks) })
    const logitsOf = async (base?: Base) => {
      const shrunk = await shrink(checkpoint, masks, adapter, null, { dtype: 'float32', ...(base && { base }) })
      return forward(shrunk.model, batch)
    }
    assertWithin(await logitsOf(readerOf8Bits), trained, 1e-4, 'merged into what was trained')
    const missed = largestDifference(await logitsOf(), trained)
    assert.ok(missed > 1e-3, `merged into the originals the logits differ by ${missed} only`)
  })
}

test('query heads leave evenly or raggedly, and what is left can be pruned again', async () => {
  const { checkpoint, model, adapter, batch } = openFixture('llama_gqa')
  const whole = forward(model, batch, { adapter })
  for (const { heads, shape } of [
    { heads: [1, 0, 0, 1], shape: { heads: 2, keyValueHeads: 2 } },
    { heads: [1, 1, 0, 0], shape: { heads: 2, keyValueHeads: 1 } },
    { heads: [0, 0, 0, 1], shape: { heads: 1, keyValueHeads: 1 } },
    { heads: [0, 1, 1, 1], shape: { heads: 3, keyValueHeads: 2, keyValueHeadOf: [0, 1, 1] } },
    { heads: [1, 1, 1, 0], shape: { heads: 3, keyValueHeads: 2, keyValueHeadOf: [0, 0, 1] } },
  ]) {
    const masks = model.config.layers.map(({ channels }) => ({
      heads: Uint8Array.from(heads),
      channels: new Uint8Array(channels).fill(1),
    }))
    const masked = forward(model, batch, { adapter, masks: maskTensors(model.config, masks) })
    assert.ok(largestDifference(masked, whole) > 0.1)
    const shrunk = await shrink(checkpoint, masks, adapter)
    for (const layer of shrunk.checkpoint.config.layers) assert.deepEqual(layer, { ...shape, channels: 48 })
    assertWithin(forward(shrunk.model, batch), masked, 1e-4, `heads ${heads}`)
    if (shape.heads === 1) continue
    const fewer = shrunk.checkpoint.config.layers.map((layer) => ({
      heads: new Uint8Array(layer.heads).fill(1).with(layer.heads - 1, 0),
      channels: new Uint8Array(layer.channels).fill(1).with(5, 0),
    }))
    const maskedAgain = forward(shrunk.model, batch, { masks: maskTensors(shrunk.checkpoint.config, fewer) })
    const again = await shrink(shrunk.checkpoint, fewer, null)
    assertWithin(forward(again.model, batch), maskedAgain, 1e-4, `heads ${heads}, again`)
    assert.equal(again.checkpoint.config.layers[0]!.heads, shape.heads - 1)
  }
})

const target = {
  addsBiases: false,
  ratio: 0.5,
  headGroups: 'key-value-heads',
  uniform: true,
  protectFirst: 0,
  protectLast: 0,
  channelMultiple: 1,
  ranking: 'local',
  floor: 0,
  rounding: 'down',
} as const

for (const name of ['llama_mha', 'llama_gqa'] as const) {
  test(`${name}: FLAP's biases are written as the masked model was used with them`, async () => {
    const { checkpoint, model, adapter, batch } = openFixture(name)
    let masks = fullMasks(model.config, 'key-value-heads')
    const view = { model, adapter, masks: () => maskTensors(model.config, masks), calibration: async () => [batch] }
    const flap = new Flap(view, { biasCompensation: true })
    // Twice, so that the second choice is made on a model that has biases already.
    for (const sparsity of [0.25, 0.5]) {
      const scores = await flap.score(masks)
      const next = selectMasks(model.config, masks, scores, sparsity, {
        ...target,
        removes: 'groups',
        addsBiases: true,
      })
      flap.removed(masks, next)
      masks = next
    }
    const masked = forward(model, batch, { adapter, masks: maskTensors(model.config, masks) })
    const shrunk = await shrink(checkpoint, masks, adapter, flap.compensation)
    assertWithin(forward(shrunk.model, batch), masked, 1e-4, 'logits of the shrunk checkpoint')
    const without = await shrink(checkpoint, masks, adapter)
    const missed = largestDifference(forward(without.model, batch), masked)
    assert.ok(missed > 1e-2, `the biases change the logits by ${missed} only`)
  })

  test(`${name}: layers that depth pruning removes are left out, and the logits stay those of the masked model`, async () => {
    const { checkpoint, model, adapter, batch } = openFixture(name)
    const all = fullMasks(model.config, 'key-value-heads')
    const view = { model, adapter, masks: () => undefined, calibration: async () => [batch] }
    const scores = await depth(view, 'key-value-heads').score(all)
    const masks = selectMasks(model.config, all, scores, 0.5, { ...target, removes: 'layers' })
    const left = masks.filter((mask) => !isEmptyLayer(mask)).length
    assert.equal(left, Math.ceil(model.config.layers.length / 2))
    const masked = forward(model, batch, { adapter, masks: maskTensors(model.config, masks) })
    assert.ok(largestDifference(masked, forward(model, batch, { adapter })) > 1e-2)
    const shrunk = await shrink(checkpoint, masks, adapter)
    assert.equal(shrunk.checkpoint.config.layers.length, left)
    assertWithin(forward(shrunk.model, batch), masked, 1e-4, 'logits of the shrunk checkpoint')
  })
}
