import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type PruneJob, pruneSchema } from '../../../../engine/contract/index.ts'
import { type Checkpoint, openCheckpoint } from '../../../../engine/models/checkpoint.ts'
import { countParameters } from '../../../../engine/models/tensors.ts'
import { costOf } from '../../../../engine/pruning/budget/costs.ts'
import { type LayerTimes, type PartTimes, timeCosts, timeOf } from '../../../../engine/pruning/budget/time-costs.ts'
import { targetOf } from '../../../../engine/pruning/job-target.ts'
import { fullMasks, selectMasks } from '../../../../engine/pruning/masks.ts'
import { removalOf } from '../../../../engine/pruning/removal.ts'
import { shrunkConfig } from '../../../../engine/pruning/shrink.ts'
import { estimateParameters } from '../../../../engine/pruning/targets.ts'
import { fixtureModel } from '../../../fixtures/read.ts'

/** Eight layers of eight key/value heads and 96 channels. */
function model() {
  using opened = openCheckpoint(fixtureModel('llama_gqa'))
  const layers = Array.from({ length: 8 }, () => ({ heads: 16, keyValueHeads: 8, channels: 96 }))
  const config = { ...opened.config, layers }
  return { ...opened, config, dtype: 'float32', parameters: countParameters(config) } as unknown as Checkpoint
}
const checkpoint = model()
const { config } = checkpoint

/** A layer of 10 ms: 1 whatever is left of it, 3 for its heads and 6 for its channels. */
const exact: PartTimes = {
  fixed: 5,
  layer: 10,
  heads: [8, 6, 4, 2].map((groups) => ({ groups, milliseconds: 7 + (3 * groups) / 8 })),
  channels: [96, 48, 24].map((groups) => ({ groups, milliseconds: 4 + (6 * groups) / 96 })),
}

const near = (one: number, other: number) => assert.ok(Math.abs(one - other) < 1e-9, `${one} ${other}`)

test('times of layers are costs, interpolated between what was measured', () => {
  const costs = timeCosts(config, exact)
  const cost = (heads: number, channels: number) =>
    costOf(
      costs,
      config.layers.map(() => ({ heads, channels })),
    )
  near(cost(8, 96), 85)
  near(cost(5, 96), 85 - 8 * 3 * (3 / 8))
  near(cost(1, 12), 5 + 8 * (1 + 3 / 8 + 6 / 8))
  near(
    costOf(
      costs,
      config.layers.map((_, layer) => (layer < 3 ? null : { heads: 8, channels: 96 })),
    ),
    55,
  )
  near(timeOf(config, costs, config.layers, 'key-value-heads'), 85)
  near(
    timeOf(
      config,
      costs,
      config.layers.map((shape) => ({ ...shape, channels: 48 })),
      'key-value-heads',
    ),
    61,
  )
})

test('noise never makes fewer groups slower, nor parts slower than the whole layer', () => {
  const noisy: PartTimes = {
    fixed: 5,
    layer: 10,
    heads: [10, 14, 3, -2].map((milliseconds, i) => ({ groups: [8, 6, 4, 2][i]!, milliseconds })),
    channels: [10, 1, 4].map((milliseconds, i) => ({ groups: [96, 48, 24][i]!, milliseconds })),
  }
  const { layers, fixed } = timeCosts(config, noisy)
  const { rest, heads, channels } = layers[0]!
  for (let kept = 1; kept <= 8; kept++) assert.ok(heads(kept) >= heads(kept - 1) && heads(kept) >= 0)
  for (let kept = 1; kept <= 96; kept++) assert.ok(channels(kept) >= channels(kept - 1))
  assert.ok(rest >= 0)
  assert.ok(Math.abs(fixed + rest + heads(8) + channels(96) - 15) < 1e-9)
})

const times: LayerTimes = { prompt: exact, generation: { ...exact, fixed: 1 } }
const jobWith = (settings: object): PruneJob =>
  pruneSchema.parse({ kind: 'prune', checkpoint: 'model', out: 'run', data: ['t'], protectLast: 0, ...settings })

const refused = (budget: string, message: RegExp) =>
  assert.throws(() => targetOf(jobWith({ budget }), checkpoint, times), { field: 'budget', message })

/** Whether the bounds that the refusal of a budget names are budgets that are not refused. */
function assertBoundsAreMet(budget: string): void {
  const [, from, to] = assertRefusal(() => targetOf(jobWith({ budget }), checkpoint, times))
  for (const bound of [from, to]) targetOf(jobWith({ budget: bound }), checkpoint, times)
}

function assertRefusal(work: () => unknown): RegExpExecArray {
  try {
    work()
  } catch (error) {
    return /between (\S+) and (\S+) /.exec(String(error))!
  }
  assert.fail('it is not refused')
}

test('a budget of time is met by what was measured, and refused with the range that can be', () => {
  for (const [budget, limit] of [
    ['prompt=1.5x', 85 / 1.5],
    ['prompt=60ms', 60],
    ['generation=0.04s', 40],
  ] as const) {
    const target = targetOf(jobWith({ budget }), checkpoint, times)
    assert.ok(Math.abs(target.budget!.limit - limit) < 1e-9)
    const scores = config.layers.map((_, layer) => ({
      heads: Float32Array.from({ length: 8 }, (__, group) => 1 + ((group * 7 + layer) % 8)),
      channels: Float32Array.from({ length: 96 }, (__, group) => 1 + ((group * 13 + layer) % 96)),
    }))
    const masks = selectMasks(config, fullMasks(config, target.headGroups), scores, target.ratio, target)
    const after = shrunkConfig(config, masks)
    const { actual, planned } = removalOf(config, target, { ...after, parameters: countParameters(after) }).budget!
    assert.ok(actual <= planned && actual > planned - 1, `${actual} of ${planned}`)
    assert.ok(estimateParameters(config, target).after < checkpoint.parameters)
  }
  refused('prompt=50x', /ms a prompt is the least of .*; a budget between prompt=\d+\.\d{3}x and prompt=1\.001x can/)
  for (const budget of ['prompt=50x', 'prompt=0.1ms', 'generation=90x', 'generation=0.1ms', 'generation=900ms'])
    assertBoundsAreMet(budget)
  refused('generation=900ms', /no less than the checkpoint has, which is 81\.0 ms a token/)
  assert.throws(() => targetOf(jobWith({ budget: 'prompt=2x' }), checkpoint), RangeError)
})
