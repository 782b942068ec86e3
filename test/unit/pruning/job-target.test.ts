import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type PruneJob, pruneSchema } from '../../../engine/contract/index.ts'
import { estimateJob } from '../../../engine/estimate/estimate.ts'
import { type Checkpoint, openCheckpoint } from '../../../engine/models/checkpoint.ts'
import { countParameters } from '../../../engine/models/tensors.ts'
import { targetOf } from '../../../engine/pruning/job-target.ts'
import { fullMasks, selectMasks } from '../../../engine/pruning/masks.ts'
import { plannedParameters, removableParameters } from '../../../engine/pruning/removal.ts'
import { removalCounts } from '../../../engine/pruning/targets.ts'
import { pruningWarnings } from '../../../engine/pruning/warnings.ts'
import { FIXTURES, fixtureModel } from '../../fixtures/read.ts'

const jobWith = (settings: object): PruneJob =>
  pruneSchema.parse({ kind: 'prune', checkpoint: 'model', out: 'run', data: ['text'], ...settings })

/** A Llama with as many layers, heads, key/value heads and channels as a test wants. */
function checkpointWith(heads: number, keyValueHeads: number, channels = 96, layers = 2): Checkpoint {
  using opened = openCheckpoint(fixtureModel('llama_gqa'))
  const config = {
    ...opened.config,
    layers: Array.from({ length: layers }, () => ({ heads, keyValueHeads, channels })),
  }
  return { ...opened, config, dtype: 'float32', bytes: 0, parameters: countParameters(config) } as unknown as Checkpoint
}
const gqa = checkpointWith(16, 8)
const targetWith = (settings: object, checkpoint = gqa) => targetOf(jobWith(settings), checkpoint)
const warnings = (settings: object, checkpoint: Checkpoint) =>
  pruningWarnings(jobWith(settings), checkpoint.config, targetWith(settings, checkpoint))

test('a kind of group without scores is refused before the job starts, in every family', () => {
  for (const name of FIXTURES) {
    using checkpoint = openCheckpoint(fixtureModel(name))
    for (const criterion of ['loraprune', 'movement']) {
      const refused = (targetModules: string[], message: RegExp) =>
        assert.throws(
          () => targetWith({ criterion, targetModules, uniform: true }, checkpoint),
          { kind: 'bad-setting', field: 'targetModules', message },
          `${name} ${criterion}`,
        )
      refused(['q', 'v'], /scores channels by .* no target module is gate, up or down .*q v.*--keep-unscored/)
      refused(['gate', 'up', 'down'], /scores heads by .* no target module is q, k, v or o /)
      targetWith({ criterion, targetModules: ['q', 'up'] }, checkpoint)
    }
  }
  // Keys and values are members of no query head.
  assert.throws(() => targetWith({ targetModules: ['k', 'v', 'up'], headGroups: 'query-heads' }), /is q or o /)
  targetWith({ targetModules: ['k', 'v', 'up'] })
  // The last linear layer's score is no other's.
  assert.throws(() => targetWith({ targetModules: ['q', 'k', 'v', 'down'], reduction: 'last' }), /is o .*add it/)
  targetWith({ targetModules: ['o', 'down'], reduction: 'last' })
})

test('criteria that score without the adapter take any target modules', () => {
  for (const criterion of ['random', 'magnitude', 'gradient', 'wanda', 'flap'])
    assert.deepEqual(targetWith({ criterion, targetModules: ['q', 'v'] }).keeps, [], criterion)
  assert.deepEqual(
    targetWith({ criterion: 'movement', movementGradients: 'weights', targetModules: ['q', 'v'] }).keeps,
    [],
  )
})

test('where the job says so, a kind without scores stays whole, and a warning says it', () => {
  const settings = { targetModules: ['q', 'v'], keepUnscored: true }
  const target = targetWith(settings)
  assert.deepEqual(target.keeps, ['channels'])
  assert.deepEqual(removalCounts(gqa.config, 'channels', target, 0.5), [0, 0])
  const full = fullMasks(gqa.config, 'key-value-heads')
  const scores = full.map(({ heads, channels }) => ({
    heads: Float32Array.from(heads.keys()),
    channels: new Float32Array(channels.length),
  }))
  for (const ranking of ['local', 'global'] as const)
    for (const { heads, channels } of selectMasks(gqa.config, full, scores, 0.5, { ...target, ranking })) {
      assert.deepEqual([...heads], [0, 0, 0, 0, 1, 1, 1, 1])
      assert.ok(!channels.includes(0))
    }
  assert.deepEqual(pruningWarnings(jobWith(settings), gqa.config, target), [
    'All channels stay: loraprune cannot score them, since none of the linear layers that would show them has an adapter (--target-modules q v).',
  ])
  const { removal } = estimateJob(jobWith(settings), gqa, { target })
  assert.deepEqual(
    [removal!.heads, removal!.channels],
    [
      { planned: 0.5, actual: 0.5 },
      { planned: 0, actual: 0 },
    ],
  )
  // Parameters are counted over what may leave.
  const wanted = Math.floor(0.9 * gqa.parameters)
  const byTarget = targetWith({ ...settings, targetParameters: wanted })
  assert.ok(estimateJob(jobWith(settings), gqa, { target: byTarget }).parameters.after <= wanted)
  assert.throws(
    () => targetWith({ ...settings, headGroups: 'query-heads', targetModules: ['k'] }),
    /nothing would be left to remove/,
  )
})

test('the estimate shows heads, channels and parameters, planned and actual', () => {
  const checkpoint = checkpointWith(14, 2)
  const target = targetWith({ ratio: 0.3 }, checkpoint)
  const { removal, parameters } = estimateJob(jobWith({ ratio: 0.3 }), checkpoint, { target })
  assert.deepEqual(removal!.heads, { planned: 0.3, actual: 0 })
  assert.deepEqual(removal!.channels, { planned: 0.3, actual: 28 / 96 })
  assert.equal(removal!.parameters.actual, 1 - parameters.after / parameters.before)
  // 3 matrices of channels [96, hidden]; of attention q and o [14 heads], k and v [2 heads].
  const { hiddenSize, headSize } = checkpoint.config
  const removable = 2 * hiddenSize * (3 * 96 + 2 * 14 * headSize + 2 * 2 * headSize)
  assert.ok(Math.abs(removal!.parameters.planned - (0.3 * removable) / parameters.before) < 1e-12)
  assert.equal(plannedParameters(removableParameters(checkpoint.config, target), 0), 0)
})

test('where all layers lose one of few groups of heads at the same step, a warning says so and names the budget', () => {
  const [told, ...others] = warnings({ ratio: 0.5 }, checkpointWith(9, 3))
  assert.deepEqual(others, [])
  assert.match(told!, /^All layers lose 33\.3% of their heads at the same step.*only 3 groups.*--budget/)
  // Where there are many, where layers may differ, and where the heads stay, there is nothing to say.
  for (const [settings, checkpoint] of [
    [{ ratio: 0.5 }, checkpointWith(8, 8)],
    [{ ratio: 0.5, ranking: 'global', uniform: false }, checkpointWith(9, 3)],
    [{ ratio: 0.5, prune: ['channels'] }, checkpointWith(9, 3)],
    [{ budget: 'parameters=0.8' }, checkpointWith(9, 3)],
  ] as const)
    assert.doesNotMatch(warnings(settings, checkpoint).join('\n'), /at the same step/)
})

test('where rounding makes a request a no-op, a warning names the setting that would do it', () => {
  const [heads, ...others] = warnings({ ratio: 0.3 }, checkpointWith(14, 2))
  assert.deepEqual(others, [])
  assert.match(heads!, /^No heads leave: 30% of 2 key\/value heads in a layer/)
  assert.match(heads!, /--head-groups query-heads, which removes 28\.6% of the query heads/)
  assert.match(heads!, /or --ratio 0\.5 or more.*--target-fraction/)
  // What it names does it.
  for (const settings of [{ ratio: 0.3, headGroups: 'query-heads' }, { ratio: 0.5 }])
    assert.doesNotMatch(warnings(settings, checkpointWith(14, 2)).join('\n'), /leave:/)

  const [single] = warnings({ ratio: 0.5 }, checkpointWith(8, 1))
  assert.match(single!, /^No heads leave: 50% of 1 key\/value head in a layer.*--head-groups query-heads/)
  assert.doesNotMatch(single!, /--ratio/)
  const [only] = warnings({ ratio: 0.5 }, checkpointWith(1, 1))
  assert.match(only!, /No setting of this job removes any/)
  assert.match(warnings({ ratio: 0.2 }, checkpointWith(4, 4))[0]!, /--ratio 0\.25 or more/)
  assert.match(
    warnings({ ratio: 0.3, channelMultiple: 64 }, checkpointWith(4, 4)).join('\n'),
    /No channels leave: 30% of 96 channels.*--channel-multiple 16, or --ratio 0\.334 or more/,
  )
  assert.match(
    warnings({ ratio: 0.3, criterion: 'depth' }, checkpointWith(4, 4))[0]!,
    /^No layer leaves.*--ratio 0\.5 or/,
  )
  assert.match(warnings({ uniform: false, protectLast: 2 }, checkpointWith(4, 4))[0]!, /every layer is protected/)
  assert.match(
    warnings({ ranking: 'global', ratio: 0.75, floor: 0.5, uniform: false, protectFirst: 0, protectLast: 0 }, gqa)[1]!,
    /^Of 12 heads that the ratio stands for 8 leave: every layer keeps 50% .*--floor/,
  )
  assert.deepEqual(warnings({}, gqa), [])
})

test('a multiple of channels that a pruned layer does not have is refused, and one that leaves it whole is told of', () => {
  const uneven = checkpointWith(4, 4)
  uneven.config.layers[1]!.channels = 40
  const refused = (settings: object, message: RegExp) =>
    assert.throws(() => targetWith(settings, uneven), { kind: 'bad-setting', field: 'channelMultiple', message })
  refused({ channelMultiple: 48 }, /layer 1 has 40 channels, which are fewer than 48: take a multiple of 40 at most$/)
  refused({ channelMultiple: 48, ratioOf: 'parameters' }, /layer 1 has 40 channels/)
  refused({ channelMultiple: 48, budget: 'parameters=0.8', protectLast: 0 }, /40 at most, or protect .*--protect-last/)
  // What loses no channels may have any number of them.
  const stays = { channelMultiple: 48, uniform: false, protectFirst: 0, protectLast: 1 }
  assert.equal(removalCounts(uneven.config, 'channels', targetWith(stays, uneven), 0.5)[0], 48)
  targetWith({ channelMultiple: 48, prune: ['heads'] }, uneven)
  targetWith({ channelMultiple: 48, criterion: 'depth', ratio: 0.5 }, uneven)
  assert.match(
    warnings({ channelMultiple: 16, ratio: 0.17 }, uneven).join('\n'),
    /^Layer 1 keeps all of its 40 channels, which are no multiple of 16 \(--channel-multiple\)/m,
  )
})
