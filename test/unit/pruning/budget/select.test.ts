import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type PruneJob, pruneSchema } from '../../../../engine/contract/index.ts'
import { type Checkpoint, openCheckpoint } from '../../../../engine/models/checkpoint.ts'
import { isStock } from '../../../../engine/models/decoder-layers.ts'
import { kinds } from '../../../../engine/models/family.ts'
import { countParameters } from '../../../../engine/models/tensors.ts'
import { targetOf } from '../../../../engine/pruning/job-target.ts'
import { layoutOf } from '../../../../engine/pruning/layout.ts'
import { fullMasks, selectMasks } from '../../../../engine/pruning/masks.ts'
import { plannedParameters, removableParameters, removalOf } from '../../../../engine/pruning/removal.ts'
import type { LayerScores } from '../../../../engine/pruning/scores.ts'
import { shrunkConfig } from '../../../../engine/pruning/shrink.ts'
import { estimateParameters, type TargetSettings } from '../../../../engine/pruning/targets.ts'
import { Random } from '../../../../engine/shared/random.ts'
import { FIXTURES, type FixtureName, fixtureModel } from '../../../fixtures/read.ts'

const jobWith = (settings: object): PruneJob =>
  pruneSchema.parse({ kind: 'prune', checkpoint: 'model', out: 'run', data: ['text'], ...settings })

/** A fixture with eight layers in place of its own, of so many heads, key/value heads and channels. */
function checkpointWith(heads: number, keyValueHeads: number, channels: number, name: FixtureName = 'llama_gqa') {
  using opened = openCheckpoint(fixtureModel(name))
  const layers = Array.from({ length: 8 }, () => ({ heads, keyValueHeads, channels }))
  const config = { ...opened.config, layers }
  return { ...opened, config, dtype: 'float32', parameters: countParameters(config) } as unknown as Checkpoint
}
const gqa = checkpointWith(16, 8, 96)
const targetWith = (settings: object, checkpoint = gqa): TargetSettings => targetOf(jobWith(settings), checkpoint)

function scoresFor({ config }: Checkpoint, { headGroups }: TargetSettings, random: Random): LayerScores[] {
  return fullMasks(config, headGroups).map(({ heads, channels }, layer) => ({
    heads: heads.length > 0 ? Float32Array.from(heads, () => (layer + 1) * random.uniform()) : new Float32Array(0),
    channels: Float32Array.from(channels, () => random.uniform() ** (1 + layer / 4)),
  }))
}

/** Lets a schedule of three selections happen. */
function selected(checkpoint: Checkpoint, target: TargetSettings, random = new Random(3)) {
  const { config } = checkpoint
  let masks = fullMasks(config, target.headGroups)
  for (const part of [0.3, 0.8, 1]) {
    const next = selectMasks(config, masks, scoresFor(checkpoint, target, random), part * target.ratio, target)
    for (const [layer, mask] of masks.entries())
      for (const kind of kinds)
        for (const [group, stays] of mask[kind].entries())
          if (stays === 0) assert.equal(next[layer]![kind][group], 0, 'nothing comes back')
    masks = next
  }
  return { masks, config: shrunkConfig(config, masks) }
}

test('a budget is met to what a channel weighs, on the way and in the end', () => {
  for (const settings of [{ budget: 'parameters=0.7' }, { budget: 'parameters=0.5', headGroups: 'query-heads' }]) {
    const target = targetWith(settings)
    const { config } = selected(gqa, target)
    const { limit } = target.budget!
    const after = countParameters(config)
    assert.ok(after <= limit && after > limit - 3 * gqa.config.hiddenSize, `${after} of ${limit}`)
    assert.ok(!isStock(config.layers), 'layers give differently')
    // Query heads of one key/value head leave together with those of the others.
    for (const { heads, keyValueHeads } of config.layers) assert.equal(heads % keyValueHeads, 0)
    const estimated = estimateParameters(gqa.config, target).after
    assert.ok(estimated <= limit && estimated > limit - 3 * gqa.config.hiddenSize)
    const removal = removalOf(gqa.config, target, { ...config, parameters: after })
    assert.deepEqual(removal.budget, { measure: 'parameters', before: gqa.parameters, planned: limit, actual: after })
    const planned = plannedParameters(removableParameters(gqa.config, target), target.ratio)
    assert.ok(Math.abs(planned - removal.parameters.actual) < 0.01)
  }
})

test('equal numbers in all layers, in numbers of heads that stock programs take', () => {
  for (const budget of ['parameters=0.8', 'parameters=0.55']) {
    const target = targetWith({ budget, uniform: true })
    assert.deepEqual(layoutOf(jobWith({ budget, uniform: true }), gqa.config).ranking, 'local')
    const { config } = selected(gqa, target)
    assert.ok(isStock(config.layers))
    assert.ok(countParameters(config) <= target.budget!.limit)
  }
  // transformers refuses a Gemma whose heads do not divide the hidden size.
  const gemma = checkpointWith(4, 4, 96, 'gemma3_text')
  const { config } = selected(gemma, targetWith({ budget: 'parameters=0.8', uniform: true }, gemma))
  assert.equal(gemma.config.hiddenSize % config.layers[0]!.heads, 0)
})

test('protected layers, the floor, kinds that stay and multiples of channels are respected', () => {
  const target = targetWith({ budget: 'parameters=0.6', protectFirst: 0.25, protectLast: 2, floor: 0.5 })
  const { config } = selected(gqa, target)
  for (const layer of [0, 1, config.layers.length - 2, config.layers.length - 1])
    assert.deepEqual(config.layers[layer], gqa.config.layers[0])
  for (const { keyValueHeads, channels } of config.layers) assert.ok(keyValueHeads >= 4 && channels >= 48)
  const ofChannels = selected(gqa, targetWith({ budget: 'parameters=0.85', prune: ['channels'], channelMultiple: 8 }))
  for (const { heads, channels } of ofChannels.config.layers) {
    assert.equal(heads, 16)
    assert.equal(channels % 8, 0)
  }
})

test('small steps end where one large one does, though heads leave in twos', () => {
  // A Gemma of hidden size 64: of eight heads four may stay, not seven to five.
  const gemma = checkpointWith(8, 8, 96, 'gemma3_text')
  const target = targetWith({ budget: 'parameters=0.5', uniform: true }, gemma)
  const { config } = gemma
  const scores = scoresFor(gemma, target, new Random(5))
  let masks = fullMasks(config, target.headGroups)
  const atOnce = selectMasks(config, masks, scores, target.ratio, target)
  for (let step = 1; step <= 20; step++) masks = selectMasks(config, masks, scores, (step / 20) * target.ratio, target)
  assert.deepEqual(masks, atOnce)
  assert.ok(shrunkConfig(config, masks).layers[0]!.heads < 8)
})

const kept = (mask: Uint8Array) => mask.reduce((all, stays) => all + stays, 0) / mask.length

test('groups that are alike leave alike, of both kinds and all layers', () => {
  const target = targetWith({ budget: 'parameters=0.5', protectFirst: 0, protectLast: 0 })
  const alike = fullMasks(gqa.config, target.headGroups).map(({ heads, channels }) => ({
    heads: new Float32Array(heads.length).fill(2),
    channels: new Float32Array(channels.length).fill(0.1),
  }))
  const masks = selectMasks(gqa.config, fullMasks(gqa.config, target.headGroups), alike, target.ratio, target)
  for (const { heads, channels } of masks)
    assert.ok(Math.abs(kept(heads) - kept(channels)) < 0.15, `${kept(heads)} of heads, ${kept(channels)} of channels`)
})

test('whole layers leave where nothing else meets the budget, and one is left', () => {
  const settings = { protectFirst: 0, protectLast: 0, floor: 0.9 }
  for (const uniform of [true, false]) {
    const target = targetWith({ budget: `parameters=${uniform ? 0.6 : 0.4}`, uniform, ...settings })
    const { config } = selected(gqa, target)
    assert.ok(config.layers.length < 8 && config.layers.length > 0)
    assert.ok(countParameters(config) <= target.budget!.limit)
    if (uniform) assert.ok(isStock(config.layers))
  }
})

test('a budget that cannot be met is refused with the range that can', () => {
  const refused = (settings: object, field: string, message: RegExp) =>
    assert.throws(() => targetWith(settings), { kind: 'bad-setting', field, message })
  refused(
    { budget: 'parameters=0.01' },
    'budget',
    /cannot be met: .*--floor.* a budget between parameters=0\.\d{4} and parameters=0\.9999 can/,
  )
  refused({ budget: 'parameters=900M' }, 'budget', /no less than the checkpoint has/)
  refused(
    { budget: 'memory=1KB' },
    'budget',
    /cannot be met.* MB is the least of .* MB; a budget between memory=\d+\.\dKB and/,
  )
  refused({ budget: 'parameters=0.7', ratio: 0.3 }, 'ratio', /leave one of them out/)
  refused({ budget: 'parameters=0.7', targetFraction: 0.5 }, 'targetFraction', /leave one/)
  refused({ budget: 'parameters=0.7', ratioOf: 'parameters' }, 'ratioOf', /leave one/)
  refused({ budget: 'parameters=0.7', criterion: 'depth' }, 'budget', /removes layers: say a ratio/)
  refused({ budget: 'parameters=0.7', ranking: 'local' }, 'ranking', /--uniform/)
  // What the messages name as the bounds can be met.
  for (const budget of [
    'parameters=0.01',
    'parameters=1',
    'memory=0.01',
    'memory=1KB',
    'memory=9GB',
    'parameters=900M',
  ])
    assert.throws(
      () => targetWith({ budget }),
      ({ message }: Error) => {
        const [, from, to] = /between (\S+) and (\S+) /.exec(message)!
        for (const bound of [from, to]) targetWith({ budget: bound })
        return true
      },
      budget,
    )
  const least = targetWith({ budget: 'parameters=0.7' }).budget!.least
  assert.equal(estimateParameters(gqa.config, targetWith({ budget: `parameters=${least}` })).after, least)
})

test('bytes of the weights are counted in the type that is written', () => {
  const half = targetWith({ budget: 'memory=0.7', outputDtype: 'float16' })
  assert.equal(half.budget!.before, 2 * gqa.parameters)
  assert.equal(half.ratio, targetWith({ budget: 'parameters=0.7' }).ratio)
  const { budget } = targetWith({ budget: `memory=${Math.round((4 * gqa.parameters * 0.7) / 1e3)}KB` })
  assert.ok(Math.abs(budget!.limit - 2.8 * gqa.parameters) < 1000)
})

test('every family spends a budget', () => {
  for (const name of FIXTURES) {
    using checkpoint = openCheckpoint(fixtureModel(name))
    const headGroups = checkpoint.config.layers.some(({ keyValueHeadOf }) => keyValueHeadOf) ? 'query-heads' : undefined
    const target = targetWith({ budget: 'parameters=0.9', protectFirst: 0, protectLast: 0, headGroups }, checkpoint)
    const { config } = selected(checkpoint, target)
    assert.ok(countParameters(config) <= target.budget!.limit, name)
  }
})
