import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type PruneJob, pruneSchema } from '../../../engine/contract/index.ts'
import { estimateJob } from '../../../engine/estimate/estimate.ts'
import { type Checkpoint, openCheckpoint } from '../../../engine/models/checkpoint.ts'
import type { ModelConfig } from '../../../engine/models/model-config.ts'
import { countParameters } from '../../../engine/models/tensors.ts'
import { groupCount, parametersPerGroup } from '../../../engine/pruning/groups.ts'
import { targetOf } from '../../../engine/pruning/job-target.ts'
import { fullMasks, selectMasks } from '../../../engine/pruning/masks.ts'
import { decoderParameters } from '../../../engine/pruning/parameter-counts.ts'
import { plannedRatio, ratioToSelect, scheduleOf } from '../../../engine/pruning/schedule.ts'
import { shrunkConfig } from '../../../engine/pruning/shrink.ts'
import { finalCounts, removalCounts, type TargetSettings } from '../../../engine/pruning/targets.ts'
import { pruningWarnings } from '../../../engine/pruning/warnings.ts'
import { Random } from '../../../engine/shared/random.ts'
import { FIXTURES, fixtureModel } from '../../fixtures/read.ts'

const jobWith = (settings: object): PruneJob =>
  pruneSchema.parse({
    kind: 'prune',
    checkpoint: 'model',
    out: 'run',
    data: ['text'],
    ratioOf: 'parameters',
    criterion: 'magnitude',
    ...settings,
  })

/** A Llama with as many layers, heads, key/value heads and channels as a test wants. */
function checkpointWith(heads: number, keyValueHeads: number, channels: number, layers = 6): Checkpoint {
  using opened = openCheckpoint(fixtureModel('llama_gqa'))
  const config = {
    ...opened.config,
    layers: Array.from({ length: layers }, () => ({ heads, keyValueHeads, channels })),
  }
  return { ...opened, config, dtype: 'float32', bytes: 0, parameters: countParameters(config) } as unknown as Checkpoint
}

const randomScores = (config: ModelConfig, { headGroups }: TargetSettings, random: Random) =>
  config.layers.map((_, layer) => {
    const draw = (kind: 'heads' | 'channels') =>
      Float32Array.from({ length: groupCount(config, layer, kind, headGroups) }, () => random.uniform())
    return { heads: draw('heads'), channels: draw('channels') }
  })

const sum = (counts: readonly number[]): number => counts.reduce((all, count) => all + count, 0)

/** Parameters that are left where groups leave at random, and those that one channel of each layer has. */
function left(checkpoint: Checkpoint, settings: object) {
  const { config } = checkpoint
  const job = jobWith(settings)
  const target = targetOf(job, checkpoint)
  const masks = selectMasks(
    config,
    fullMasks(config, target.headGroups),
    randomScores(config, target, new Random(7)),
    target.ratio,
    target,
  )
  const after = countParameters(shrunkConfig(config, masks, target.addsBiases))
  const { parameters, removal } = estimateJob(job, checkpoint, { target })
  assert.equal(parameters.after, after, 'the estimate')
  const channel = parametersPerGroup(config, 0, 'channels', target.headGroups)
  return { after, target, masks, removal: removal!, channel }
}

const shapes = [
  [16, 8, 96],
  [9, 3, 160],
  [14, 2, 301],
  [4, 4, 96],
] as const

test('as few parameters stay as the ratio says, to a channel of each layer, or to one where layers are ranked together', () => {
  for (const [heads, keyValueHeads, channels] of shapes) {
    const checkpoint = checkpointWith(heads, keyValueHeads, channels)
    const { config, parameters } = checkpoint
    for (const ratio of [0.05, 0.2, 0.3, 0.5, 0.71])
      for (const settings of [
        { ranking: 'local' },
        { ranking: 'local', uniform: false },
        { ranking: 'global', floor: 0.05 },
        { ranking: 'local', headGroups: 'query-heads' },
      ]) {
        // Keys and values stay, and one query head of each.
        if ('headGroups' in settings && ratio > 0.3) continue
        // One of six layers is protected.
        if (('uniform' in settings || settings.ranking === 'global') && ratio > 0.7) continue
        const found = left(checkpoint, { ratio, ...settings })
        const planned = parameters - ratio * decoderParameters(config)
        const name = `${heads}/${keyValueHeads}/${channels} ${ratio} ${JSON.stringify(settings)}`
        const pruned = found.target.ranking === 'global' ? 1 : config.layers.length
        assert.ok(found.after <= planned + 1e-6, `${name}: ${found.after} are more than ${planned}`)
        assert.ok(planned - found.after < pruned * found.channel, `${name}: ${found.after} of ${planned}`)
        assert.ok(Math.abs(found.removal.parameters.planned - (1 - planned / parameters)) < 1e-9, name)
        assert.ok(found.removal.parameters.actual >= found.removal.parameters.planned - 1e-9, name)
      }
  }
})

test('a number of parameters that is wanted is met to a channel too, where groups alone miss it by a head', () => {
  const checkpoint = checkpointWith(9, 3, 160)
  for (const targetFraction of [0.9, 0.8, 0.75, 0.6]) {
    const wanted = Math.floor(targetFraction * checkpoint.parameters)
    const { after, channel } = left(checkpoint, { targetFraction })
    assert.ok(after <= wanted && wanted - after < 6 * channel, `${targetFraction}: ${after} of ${wanted}`)
  }
  const missed = [0.9, 0.8, 0.75, 0.6].map((targetFraction) => {
    const job = jobWith({ targetFraction, ratioOf: 'groups' })
    const { after } = estimateJob(job, checkpoint, { target: targetOf(job, checkpoint) }).parameters
    return Math.floor(targetFraction * checkpoint.parameters) - after
  })
  assert.ok(Math.max(...missed) > 6 * parametersPerGroup(checkpoint.config, 0, 'channels', 'key-value-heads'))
})

test('in every family, with multiples of channels, kept kinds and added biases, no more stays than is planned', () => {
  for (const name of FIXTURES) {
    using checkpoint = openCheckpoint(fixtureModel(name))
    for (const settings of [
      {},
      { channelMultiple: 8 },
      { criterion: 'loraprune', targetModules: ['gate', 'up', 'down'], keepUnscored: true, ratio: 0.2 },
      { criterion: 'loraprune', targetModules: ['q', 'k', 'v', 'o'], keepUnscored: true, ratio: 0.1 },
      ...(/llama_/.test(name)
        ? [
            { criterion: 'flap', uniform: true },
            { criterion: 'flap', protectLast: 0 },
          ]
        : []),
    ]) {
      const { after, masks } = left(checkpoint, { ratio: 0.4, ...settings })
      const { ratio = 0.4 } = settings as { ratio?: number }
      const planned = checkpoint.parameters - ratio * decoderParameters(checkpoint.config)
      assert.ok(after <= planned + 1e-6, `${name} ${JSON.stringify(settings)}: ${after} of ${planned}`)
      if ('channelMultiple' in settings)
        for (const { channels } of masks) assert.equal(channels.filter((kept) => kept === 1).length % 8, 0)
    }
  }
})

test('on the way the schedule plans parameters, no kind runs ahead of the end, and nothing comes back', () => {
  for (const ranking of ['local', 'global'] as const) {
    const checkpoint = checkpointWith(9, 3, 160)
    const { config, parameters } = checkpoint
    const target = targetOf(jobWith({ ranking, ratio: 0.5, protectFirst: 0, protectLast: 0 }), checkpoint)
    const schedule = scheduleOf({ pruneWarmup: 0.1, pruneCooldown: 0.1, frequency: 5 }, 200, target.ratio)
    const random = new Random(3)
    let masks = fullMasks(config, target.headGroups)
    for (let step = 1; step <= 200; step++) {
      const ratio = ratioToSelect(schedule, step)
      if (ratio === null) continue
      const next = selectMasks(config, masks, randomScores(config, target, random), ratio, target)
      for (const [layer, { heads, channels }] of masks.entries()) {
        assert.ok(heads.every((kept, group) => kept === 1 || next[layer]!.heads[group] === 0))
        assert.ok(channels.every((kept, group) => kept === 1 || next[layer]!.channels[group] === 0))
      }
      masks = next
      const gone = parameters - countParameters(shrunkConfig(config, masks))
      const planned = plannedRatio(schedule, step) * decoderParameters(config)
      // Half a key/value head and half a channel of each layer.
      const [head, channel] = (['heads', 'channels'] as const).map((kind) =>
        parametersPerGroup(config, 0, kind, target.headGroups),
      )
      assert.ok(
        Math.abs(gone - planned) <= 3 * (head! + 2 * channel!),
        `${ranking}, step ${step}: ${gone} of ${planned}`,
      )
      for (const kind of ['heads', 'channels'] as const) {
        assert.ok(sum(removalCounts(config, kind, target, ratio)) <= sum(finalCounts(config, kind, target)))
      }
    }
    const kept = countParameters(shrunkConfig(config, masks))
    assert.ok(kept <= parameters - 0.5 * decoderParameters(config))
  }
})

test('protected layers count, whole layers leave as many as it takes, and what cannot be reached is refused', () => {
  const checkpoint = checkpointWith(4, 4, 96, 10)
  const { config, parameters } = checkpoint
  const target = targetOf(jobWith({ ratio: 0.4, uniform: false }), checkpoint)
  // One of ten layers is protected at the start and one at the end.
  assert.ok(Math.abs(target.ratio - 0.5) < 1e-9)
  const layers = targetOf(jobWith({ criterion: 'depth', ratio: 0.35, uniform: false }), checkpoint)
  const { after } = estimateJob(jobWith({ criterion: 'depth' }), checkpoint, { target: layers }).parameters
  assert.equal(after, countParameters({ ...config, layers: config.layers.slice(4) }))
  assert.ok(after <= parameters - 0.35 * decoderParameters(config))
  for (const [settings, field] of [
    [{ ratio: 0.9, uniform: false }, 'ratio'],
    [{ ratio: 0.9, ranking: 'global', floor: 0.5, protectFirst: 0, protectLast: 0 }, 'ratio'],
    [{ targetFraction: 0.01 }, 'targetFraction'],
    [{ ratio: 0.9, criterion: 'depth', uniform: false }, 'ratio'],
  ] as const)
    assert.throws(() => targetOf(jobWith(settings), checkpoint), { kind: 'bad-setting', field })
  const told = jobWith({ ratio: 0.1 })
  assert.deepEqual(pruningWarnings(told, config, targetOf(told, checkpoint)), [
    'No heads leave: the number that is nearest to 10% of them is none. The others make up for them, so that as many parameters leave as were asked for.',
  ])
})
