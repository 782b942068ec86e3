import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { frozenFloats } from '../../../engine/tensor/frozen-weight.ts'
import { adapterImportance } from '../../../engine/ops/importance.ts'
import type { LayerScores } from '../../../engine/pruning/scores.ts'
import { loraPruneScores } from '../../../engine/pruning/criteria/loraprune.ts'
import { kinds } from '../../../engine/models/family.ts'
import { ImportanceAverage } from '../../../engine/pruning/importance.ts'
import { Random } from '../../../engine/shared/random.ts'
import { tf } from '../../../engine/tensor/tf.ts'
import { lossAndGradients } from '../../../engine/training/gradients.ts'
import { Trainer } from '../../../engine/training/trainer.ts'
import { FIXTURES, type Fixture } from '../../fixtures/read.ts'
import { assertWithin, openFixture, startBackend } from '../models/shared.ts'

before(startBackend)

/** The worked example of the specification: a weight [4, 3], rank 2, two heads of two rows. */
const worked = {
  weight: [0.5, -1, 0.25, 1, 0, -0.5, -0.75, 0.5, 1, 0.2, -0.3, 0.4],
  a: [0.1, -0.2, 0.3, 0.4, 0, -0.1],
  b: [0.2, -0.1, 0, 0.3, -0.4, 0.1, 0.5, 0.2],
  gradientA: [0.05, 0.1, -0.2, -0.1, 0.2, 0.15],
  gradientB: [0.3, -0.2, 0.1, 0.4, -0.1, 0.2, 0.25, -0.05],
  scale: 2,
}

function importance(power: 1 | 2, along: 'rows' | 'columns', weight = worked.weight): number[] {
  return [
    ...adapterImportance(
      frozenFloats(Float32Array.from(weight), 4, 3),
      { a: tf.tensor2d(worked.a, [2, 3]), b: tf.tensor2d(worked.b, [4, 2]) },
      { a: tf.tensor2d(worked.gradientA, [2, 3]), b: tf.tensor2d(worked.gradientB, [4, 2]) },
      worked.scale,
      power,
      along,
    ).dataSync(),
  ]
}

const heads = (rows: number[]) => [rows[0]! + rows[1]!, rows[2]! + rows[3]!]

test('the worked examples, by rows and by columns, with both powers', () => {
  assertWithin(heads(importance(1, 'rows')), [0.36025, 0.13275], 1e-6, 'heads')
  assertWithin(importance(1, 'columns'), [0.2991, 0.0863, 0.1076], 1e-6, 'columns')
  assertWithin(heads(importance(2, 'rows')), [0.054105, 0.004935], 1e-6, 'heads, power 2')
  assertWithin(importance(2, 'columns'), [0.050371, 0.003464, 0.005204], 1e-6, 'columns, power 2')
})

test('what is zero once merged scores zero', () => {
  // The second row of W_m is that of W plus (0.24, 0, -0.06): B's row times A times the scale.
  const weight = worked.weight.with(3, -0.24).with(4, 0).with(5, 0.06)
  const [first, second] = importance(1, 'rows', weight)
  assert.ok(second! < 1e-7, `${second}`)
  assertWithin([first!], [importance(1, 'rows')[0]!], 0, 'the row beside it')
})

test('a weight that is walked in tiles scores as the dense product does', () => {
  // Three tiles, the last one shorter.
  const [outputs, inputs, rank] = [600, 1000, 3] as const
  const random = new Random(11)
  const values = (name: string, size: number) => {
    const stream = random.fork(name)
    return Float32Array.from({ length: size }, () => stream.normal())
  }
  const weight = values('weight', outputs * inputs)
  const [a, gradientA] = [values('a', rank * inputs), values('gradient a', rank * inputs)]
  const [b, gradientB] = [values('b', outputs * rank), values('gradient b', outputs * rank)]
  const sums = { rows: new Float64Array(outputs), columns: new Float64Array(inputs) }
  for (let i = 0; i < outputs; i++) {
    for (let j = 0; j < inputs; j++) {
      let [estimate, merged] = [0, weight[i * inputs + j]!]
      for (let r = 0; r < rank; r++) {
        const [bir, gbir] = [b[i * rank + r]!, gradientB[i * rank + r]!]
        const [arj, garj] = [a[r * inputs + j]!, gradientA[r * inputs + j]!]
        estimate += gbir * arj + bir * garj - gbir * garj
        merged += 0.5 * bir * arj
      }
      const score = Math.abs(estimate * merged)
      sums.rows[i] = sums.rows[i]! + score
      sums.columns[j] = sums.columns[j]! + score
    }
  }
  const pair = { a: tf.tensor2d(a, [rank, inputs]), b: tf.tensor2d(b, [outputs, rank]) }
  const gradient = { a: tf.tensor2d(gradientA, [rank, inputs]), b: tf.tensor2d(gradientB, [outputs, rank]) }
  for (const form of [frozenFloats(weight, outputs, inputs), tf.tensor2d(weight, [outputs, inputs])]) {
    for (const along of ['rows', 'columns'] as const) {
      const actual = adapterImportance(form, pair, gradient, 0.5, 1, along).dataSync()
      const relative = Array.from(actual, (value, i) => value / sums[along][i]!)
      const ones = relative.map(() => 1)
      assertWithin(relative, ones, 1e-5, along)
    }
  }
})

const same = (matrix: number[][]) => matrix

test('scores move with the weights when a layer is permuted together with its neighbours', () => {
  // A hidden layer of six channels: two weights make it, from five inputs, and a third reads it.
  const random = new Random(5)
  const normal = (name: string, rows: number, columns: number) => {
    const stream = random.fork(name)
    return Array.from({ length: rows }, () => Array.from({ length: columns }, () => stream.normal()))
  }
  const [channels, inputs, rank] = [6, 5, 2]
  const order = [3, 0, 5, 1, 4, 2]
  const byRow = (matrix: number[][]) => order.map((row) => matrix[row]!)
  const byColumn = (matrix: number[][]) => matrix.map((row) => order.map((column) => row[column]!))
  const channelScores = (rowsOf: typeof byRow, columnsOf: typeof byColumn): number[] => {
    const scores = (name: string, along: 'rows' | 'columns') => {
      const [outputs, columns] = along === 'rows' ? [channels, inputs] : [inputs, channels]
      // Where the layer is made its rows move, with those of B; where it is read its columns, with those of A.
      const moveA = along === 'rows' ? same : columnsOf
      const moveB = along === 'rows' ? rowsOf : same
      const pair = (kind: string) => ({
        a: tf.tensor2d(moveA(normal(`${name} a ${kind}`, rank, columns))),
        b: tf.tensor2d(moveB(normal(`${name} b ${kind}`, outputs, rank))),
      })
      const weight = moveB(moveA(normal(name, outputs, columns))).flat()
      const frozen = frozenFloats(Float32Array.from(weight), outputs, columns)
      return adapterImportance(frozen, pair('value'), pair('gradient'), 2, 1, along).dataSync()
    }
    const members = [scores('gate', 'rows'), scores('up', 'rows'), scores('down', 'columns')]
    return Array.from({ length: channels }, (_, i) => members.reduce((sum, each) => sum + each[i]!, 0))
  }
  const straight = channelScores(same, same)
  assert.ok(new Set(straight).size === channels)
  assertWithin(
    channelScores(byRow, byColumn),
    order.map((channel) => straight[channel]!),
    1e-5,
    'permuted',
  )
})

function assertScores(actual: LayerScores[], expected: Record<string, Fixture['logits']>, what: string): void {
  assert.equal(Object.keys(expected).length, 2 * actual.length)
  for (const [layer, scores] of actual.entries())
    for (const kind of kinds) {
      const { data } = expected[`layers.${layer}.${kind}`]!
      // Scores with power 2 are small: the tolerance is relative.
      assertWithin(scores[kind], data, 1e-4 * Math.max(...data), `${what}: layers.${layer}.${kind}`)
    }
}

for (const name of ['llama_mha', 'llama_gqa'] as const) {
  test(`${name}: scores are PyTorch's, for both powers, normalised and not`, () => {
    const { fixture, model, adapter, batch } = openFixture(name)
    const { gradients } = lossAndGradients(model, adapter, batch, tf.scalar(batch.targets))
    assert.equal(fixture.scores!.length, 4)
    for (const { power, normalise, groups } of fixture.scores!) {
      assert.ok(power === 1 || power === 2)
      const settings = { power, normalise, reduction: 'sum', headGroups: 'key-value-heads' } as const
      assertScores(loraPruneScores(model, adapter, gradients, settings), groups, `power ${power}, ${normalise}`)
    }
  })

  test(`${name}: the moving average over two training steps is PyTorch's`, () => {
    const { fixture, model, adapter, batch } = openFixture(name)
    const { movingAverage, clipNorm, ...optimiser } = fixture.training!
    const batches = { perEpoch: 1, tokensPerEpoch: batch.ids.length, at: () => batch }
    const trainer = new Trainer(model, adapter, batches, {
      ...optimiser,
      steps: 3,
      gradientAccumulation: 1,
      maxGradientNorm: clipNorm,
      seed: 1,
      warmupRatio: 0,
      learningRateSchedule: 'constant',
    })
    const average = new ImportanceAverage(movingAverage.lambda)
    const settings = {
      power: 1,
      normalise: movingAverage.normalise,
      reduction: 'sum',
      headGroups: 'key-value-heads',
    } as const
    for (const step of [1, 2])
      trainer.step(step, ({ gradients }) => average.update(loraPruneScores(model, adapter, gradients, settings)))
    assertScores(average.layers!, movingAverage.scores, 'moving average')
  })
}

test("query heads' own scores add up to those of their key/value heads without keys and values", () => {
  const { model, adapter, batch } = openFixture('llama_gqa')
  const { gradients } = lossAndGradients(model, adapter, batch, tf.scalar(batch.targets))
  const settings = { power: 1, normalise: 'none', reduction: 'sum' } as const
  // Keys and values out of the adapter are out of the scores.
  const without = {
    ...adapter,
    layers: adapter.layers.map((matrices) => {
      const rest = { ...matrices }
      delete rest.k
      delete rest.v
      return rest
    }),
  }
  const single = loraPruneScores(model, adapter, gradients, { ...settings, headGroups: 'query-heads' })
  const grouped = loraPruneScores(model, without, gradients, { ...settings, headGroups: 'key-value-heads' })
  // Sums of a few tens, added up in another order: two units in the last place.
  for (const [layer, { heads: scores, channels }] of single.entries()) {
    assert.equal(scores.length, 4)
    assertWithin(heads([...scores]), grouped[layer]!.heads, 4e-6, `layer ${layer}`)
    assertWithin(channels, grouped[layer]!.channels, 4e-6, `layer ${layer}`)
  }
})

const channelScores = (...channels: number[]): LayerScores[] => [
  { heads: new Float32Array(1), channels: Float32Array.from(channels) },
]

test('the moving average of the worked example; a step with NaN is skipped whole', () => {
  const average = new ImportanceAverage(0.9)
  average.update(channelScores(1, 2))
  average.update(channelScores(3, 0))
  average.update(channelScores(Number.NaN, 5))
  assert.equal(average.skipped, 1)
  average.update(channelScores(0, 4))
  assertWithin(average.layers![0]!.channels, [0.351, 0.562], 1e-6, 'average')
})

const lowestHalf = (values: Float32Array) =>
  [...values.keys()].sort((one, other) => values[one]! - values[other]!).slice(0, Math.floor(values.length / 2))

test('weights in 8 bits rank groups almost as float32 does', (context) => {
  let [shared, counted] = [0, 0]
  for (const name of FIXTURES) {
    const [whole, rounded] = [openFixture(name), openFixture(name, { int8: true })].map(({ model, adapter, batch }) => {
      const { gradients } = lossAndGradients(model, adapter, batch, tf.scalar(batch.targets))
      return loraPruneScores(model, adapter, gradients, {
        power: 1,
        normalise: 'module',
        reduction: 'sum',
        headGroups: 'query-heads',
      })
    }) as [LayerScores[], LayerScores[]]
    for (const [layer, scores] of whole.entries())
      for (const kind of kinds) {
        const chosen = new Set(lowestHalf(rounded[layer]![kind]))
        const wanted = lowestHalf(scores[kind])
        shared += wanted.filter((group) => chosen.has(group)).length
        counted += wanted.length
        assert.notDeepEqual(rounded[layer]![kind], scores[kind])
      }
  }
  context.diagnostic(`of the lower half of the groups ${shared} of ${counted} are the same`)
  assert.ok(shared / counted > 0.8, `only ${shared} of ${counted} groups are the same`)
})
