import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ModelConfig } from '../../../engine/models/model-config.ts'
import { countParameters } from '../../../engine/models/tensors.ts'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'
import { kinds } from '../../../engine/models/family.ts'
import { groupCount } from '../../../engine/pruning/groups.ts'
import type { LayerScores } from '../../../engine/pruning/scores.ts'
import { ImportanceAverage } from '../../../engine/pruning/importance.ts'
import { fullMasks, type GroupMasks, selectMasks, sparsityOf } from '../../../engine/pruning/masks.ts'
import { plannedRatio } from '../../../engine/pruning/schedule.ts'
import { shrunkConfig } from '../../../engine/pruning/shrink.ts'
import {
  estimateParameters,
  isPruned,
  ratioForParameters,
  removalCounts,
  type TargetSettings,
} from '../../../engine/pruning/targets.ts'
import { Random } from '../../../engine/shared/random.ts'
import { FIXTURES, type FixtureName, fixtureModel } from '../../fixtures/read.ts'

function configOf(name: FixtureName): ModelConfig {
  using checkpoint = openCheckpoint(fixtureModel(name))
  return checkpoint.config
}

/** Eight layers of eight key/value heads, two query heads each, and 96 channels. */
const wide: ModelConfig = {
  ...configOf('llama_gqa'),
  layers: Array.from({ length: 8 }, () => ({ heads: 16, keyValueHeads: 8, channels: 96 })),
}

const plain: TargetSettings = {
  removes: 'groups',
  addsBiases: false,
  ratio: 0.5,
  headGroups: 'key-value-heads',
  uniform: true,
  protectFirst: 0.1,
  protectLast: 1,
  channelMultiple: 1,
  ranking: 'local',
  floor: 0.2,
  rounding: 'down',
}

function randomScores(config: ModelConfig, { headGroups }: TargetSettings, random: Random): LayerScores[] {
  const draw = (count: number) => Float32Array.from({ length: count }, () => random.uniform())
  return config.layers.map((_, layer) => ({
    heads: draw(groupCount(config, layer, 'heads', headGroups)),
    channels: draw(groupCount(config, layer, 'channels', headGroups)),
  }))
}

const gone = (mask: Uint8Array): number[] => [...mask.keys()].filter((group) => mask[group] === 0)
const removed = (masks: GroupMasks, kind: 'heads' | 'channels') => masks.map((mask) => gone(mask[kind]).length)

test('at every pruning step exactly what the schedule says is gone, and nothing comes back', () => {
  const schedule = { steps: 100, warmUp: 0.1, coolDown: 0.1, initialRatio: 0, finalRatio: 0.5, frequency: 5 }
  const random = new Random(1)
  for (const ranking of ['local', 'global'] as const) {
    const settings = { ...plain, ranking }
    const average = new ImportanceAverage(0.5)
    let masks = fullMasks(wide, settings.headGroups)
    let selections = 0
    for (let step = 1; step <= schedule.steps; step++) {
      average.update(randomScores(wide, settings, random))
      if (step % schedule.frequency !== 0) continue
      const planned = plannedRatio(schedule, step)
      const next = selectMasks(wide, masks, average.layers!, planned, settings)
      for (const [kind, groups] of [
        ['heads', 8],
        ['channels', 96],
      ] as const) {
        for (const [layer, mask] of next.entries())
          for (const group of gone(masks[layer]![kind])) assert.equal(mask[kind][group], 0, `step ${step}`)
        const counts = removed(next, kind)
        const each = Math.floor(groups * planned)
        if (ranking === 'local')
          assert.deepEqual(
            counts,
            Array.from({ length: 8 }, () => each),
          )
        const all = counts.reduce((sum, count) => sum + count, 0)
        assert.equal(all, 8 * each, `${ranking}, step ${step}`)
        assert.equal(sparsityOf(wide, next, kind, settings), all / (8 * groups))
      }
      masks = next
      selections++
    }
    assert.equal(selections, 20)
    assert.equal(sparsityOf(wide, masks, 'channels', settings), 0.5)
  }
})

test('the lowest scores leave first, equal ones by number, and what has left counts towards the number', () => {
  const config = { ...wide, layers: [{ heads: 4, keyValueHeads: 4, channels: 8 }] }
  const importance = [
    { heads: Float32Array.of(3, 1, 2, 4), channels: Float32Array.of(5, 1, 1, 7, 0.5, 6, 1, 9) },
  ] satisfies LayerScores[]
  const once = selectMasks(config, fullMasks(config, 'key-value-heads'), importance, 0.25, plain)
  assert.deepEqual([gone(once[0]!.heads), gone(once[0]!.channels)], [[1], [1, 4]])
  // Scores that rise again do not bring anything back.
  const risen = [{ heads: Float32Array.of(3, 9, 2, 4), channels: Float32Array.of(5, 9, 1, 7, 9, 6, 1, 9) }]
  const twice = selectMasks(config, once, risen, 0.5, plain)
  assert.deepEqual(
    [gone(twice[0]!.heads), gone(twice[0]!.channels)],
    [
      [1, 2],
      [1, 2, 4, 6],
    ],
  )
})

test('protected layers stay whole, unless all layers must stay alike', () => {
  const settings = { ...plain, uniform: false, protectFirst: 0.25, protectLast: 1 }
  assert.deepEqual(
    wide.layers.map((_, layer) => isPruned(wide, layer, settings)),
    [false, false, true, true, true, true, true, false],
  )
  for (const ranking of ['local', 'global'] as const) {
    const scores = randomScores(wide, settings, new Random(2))
    const masks = selectMasks(wide, fullMasks(wide, plain.headGroups), scores, 0.5, { ...settings, ranking })
    for (const layer of [0, 1, 7]) assert.ok(kinds.every((kind) => gone(masks[layer]![kind]).length === 0))
    assert.equal(sparsityOf(wide, masks, 'channels', settings), 0.5)
  }
  const uniform = selectMasks(
    wide,
    fullMasks(wide, plain.headGroups),
    randomScores(wide, plain, new Random(2)),
    0.5,
    plain,
  )
  assert.deepEqual(new Set(removed(uniform, 'channels')), new Set([48]))
})

test('global ranking takes more from layers that matter less, down to the floor', () => {
  const settings: TargetSettings = { ...plain, ranking: 'global', floor: 0.25 }
  // In layer 0 a few groups hold nearly all of the layer's norm; in the others all are alike.
  const scores = wide.layers.map((_, layer) => ({
    heads: Float32Array.from({ length: 8 }, (__, group) => (layer === 0 && group > 0 ? 0.001 : 1 + group / 100)),
    channels: Float32Array.from({ length: 96 }, (__, group) => (layer === 0 && group > 0 ? 0.001 : 1 + group / 100)),
  }))
  // The scale of a layer by itself changes nothing.
  const scaled = scores.map(({ heads, channels }, layer) => ({
    heads: heads.map((score) => score * (1 + layer) ** 2),
    channels: channels.map((score) => score * (1 + layer) ** 2),
  }))
  for (const importance of [scores, scaled]) {
    const masks = selectMasks(wide, fullMasks(wide, plain.headGroups), importance, 0.5, settings)
    for (const [kind, groups] of [
      ['heads', 8],
      ['channels', 96],
    ] as const) {
      const counts = removed(masks, kind)
      assert.equal(counts[0], 0.75 * groups)
      assert.ok(counts.slice(1).every((count) => count < 0.5 * groups + 1))
      assert.equal(
        counts.reduce((sum, count) => sum + count, 0),
        4 * groups,
      )
      assert.equal(masks[0]![kind][0], 1)
    }
  }
})

const leaving = (kind: 'heads' | 'channels', settings: Partial<TargetSettings>, ratio: number) =>
  removalCounts(wide, kind, { ...plain, ratio, ...settings }, ratio)[0]

test('channels that stay are a multiple of what is asked for, and a layer never loses everything', () => {
  assert.equal(leaving('channels', { channelMultiple: 32 }, 0.5), 32)
  assert.equal(leaving('channels', { channelMultiple: 16 }, 0.5), 48)
  assert.equal(leaving('channels', { channelMultiple: 32 }, 0.99), 64)
  assert.equal(leaving('channels', { channelMultiple: 128 }, 0.5), 0)
  assert.equal(leaving('heads', {}, 0.99), 7)
  assert.equal(leaving('heads', { headGroups: 'query-heads' }, 0.99), 8)
  assert.equal(leaving('heads', { headGroups: 'query-heads' }, 0.49), 0)
  assert.equal(leaving('heads', { headGroups: 'query-heads' }, 0.5), 8)
})

test('query heads leave every key/value head in the same number', () => {
  const settings: TargetSettings = { ...plain, headGroups: 'query-heads' }
  const config = { ...wide, layers: wide.layers.map((shape) => ({ ...shape, keyValueHeads: 4 })) }
  const scores = randomScores(config, settings, new Random(3))
  const masks = selectMasks(config, fullMasks(config, 'query-heads'), scores, 0.5, settings)
  for (const [layer, { heads }] of masks.entries()) {
    for (let start = 0; start < 16; start += 4) {
      const own = [...scores[layer]!.heads.subarray(start, start + 4)]
      const lowest = [...own.keys()].sort((one, other) => own[one]! - own[other]!).slice(0, 2)
      assert.deepEqual(
        gone(heads.subarray(start, start + 4)),
        lowest.toSorted((one, other) => one - other),
      )
    }
  }
  assert.ok(
    shrunkConfig(config, masks).layers.every(
      ({ heads, keyValueHeads, keyValueHeadOf }) => heads === 8 && keyValueHeads === 4 && keyValueHeadOf === undefined,
    ),
  )
})

test('the estimate is the number of parameters that are left, in every family and mode', () => {
  for (const name of FIXTURES) {
    const config = configOf(name)
    for (const headGroups of ['key-value-heads', 'query-heads'] as const) {
      for (const ratio of [0, 0.3, 0.5, 0.9]) {
        const settings: TargetSettings = {
          ...plain,
          headGroups,
          ratio,
          uniform: false,
          protectFirst: 0,
          protectLast: 0,
        }
        const scores = randomScores(config, settings, new Random(4))
        const masks = selectMasks(config, fullMasks(config, headGroups), scores, ratio, settings)
        const { before, after } = estimateParameters(config, settings)
        assert.equal(before, countParameters(config))
        assert.equal(after, countParameters(shrunkConfig(config, masks)), `${name}, ${headGroups}, ${ratio}`)
      }
    }
  }
})

test('the estimate counts what the floor of global ranking keeps', () => {
  for (const layers of [wide.layers, wide.layers.map((shape, at) => ({ ...shape, channels: 24 * (at + 1) }))])
    for (const floor of [0, 0.3, 0.7, 1])
      for (const ratio of [0.25, 0.5, 0.95]) {
        const config = { ...wide, layers }
        const settings: TargetSettings = { ...plain, ranking: 'global', uniform: false, floor, ratio }
        const scores = randomScores(config, settings, new Random(5))
        const masks = selectMasks(config, fullMasks(config, plain.headGroups), scores, ratio, settings)
        assert.equal(
          estimateParameters(config, settings).after,
          countParameters(shrunkConfig(config, masks)),
          `${floor}, ${ratio}`,
        )
      }
})

test('the ratio for a number of parameters is the least that reaches it', () => {
  const { before } = estimateParameters(wide, plain)
  for (const fraction of [0.9, 0.7, 0.5]) {
    const target = Math.floor(before * fraction)
    const ratio = ratioForParameters(wide, plain, target)
    assert.ok(estimateParameters(wide, { ...plain, ratio }).after <= target)
    assert.ok(estimateParameters(wide, { ...plain, ratio: ratio - 1e-6 }).after > target, `${fraction}: ${ratio}`)
  }
  assert.throws(
    () => ratioForParameters(wide, plain, 1000),
    /targetParameters.*1000 parameters cannot be reached by removing heads and channels/,
  )
})

test('rounded to the nearest, the last of a few heads does not leave at the very end, and the end is the same', () => {
  const ratios = [0, 0.1, 0.125, 0.2, 0.3, 0.375, 0.4375, 0.499, 0.5]
  const few: ModelConfig = { ...wide, layers: [{ heads: 8, keyValueHeads: 4, channels: 96 }] }
  const onTheWay = (rounding: 'down' | 'nearest') =>
    ratios.map((ratio) => removalCounts(few, 'heads', { ...plain, ratio: 0.5, rounding }, ratio)[0])
  assert.deepEqual(onTheWay('down'), [0, 0, 0, 0, 1, 1, 1, 1, 2])
  assert.deepEqual(onTheWay('nearest'), [0, 0, 1, 1, 1, 2, 2, 2, 2])
  // A target that is not a whole number of heads is rounded down in the end either way.
  for (const rounding of ['down', 'nearest'] as const)
    assert.deepEqual(removalCounts(few, 'heads', { ...plain, ratio: 0.45, rounding }, 0.45), [1])
})
