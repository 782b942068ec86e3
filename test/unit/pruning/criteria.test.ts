import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { toFloat32 as storedFloats } from '../../../engine/checkpoint/dtype.ts'
import { plainConfig } from '../../../engine/bench/shapes.ts'
import type { TokenBatch } from '../../../engine/data/batches.ts'
import type { Model } from '../../../engine/models/family.ts'
import { linearNames, weightPlaces } from '../../../engine/models/tensors.ts'
import { frozenFloats } from '../../../engine/tensor/frozen-weight.ts'
import type { Adapter } from '../../../engine/lora/adapter.ts'
import type { FeatureStatistics, LayerStatistics } from '../../../engine/pruning/statistics/activations.ts'
import { activationStatistics, rootMeanSquares, variances } from '../../../engine/pruning/statistics/activations.ts'
import { adapterGradients } from '../../../engine/pruning/statistics/calibration-gradients.ts'
import { blockInfluence, cosines } from '../../../engine/pruning/criteria/depth.ts'
import { fluctuations, standardised } from '../../../engine/pruning/criteria/flap.ts'
import { gradientScores } from '../../../engine/pruning/criteria/gradient.ts'
import { magnitudeScores } from '../../../engine/pruning/criteria/magnitude.ts'
import { movementScores, trueMovementScores } from '../../../engine/pruning/criteria/movement.ts'
import { randomCriterion } from '../../../engine/pruning/criteria/random.ts'
import { wandaScores } from '../../../engine/pruning/criteria/wanda.ts'
import { blockLinearity } from '../../../engine/pruning/statistics/linearity.ts'
import { nthLowest, withoutLowest } from '../../../engine/pruning/single-weights.ts'
import { mapWeightGradients } from '../../../engine/pruning/statistics/weight-gradients.ts'
import { Random } from '../../../engine/shared/random.ts'
import { tf } from '../../../engine/tensor/tf.ts'
import { lossAndGradients } from '../../../engine/training/gradients.ts'
import { assertWithin, openFixture, startBackend } from '../models/shared.ts'

before(startBackend)

/** The specification's worked example: a weight [4, 3] with its adapter, as q and as gate; all other weights are zero. */
const weight = [0.5, -1, 0.25, 1, 0, -0.5, -0.75, 0.5, 1, 0.2, -0.3, 0.4]
const pair = (a: number[], b: number[]) => ({ a: tf.tensor2d(a, [2, 3]), b: tf.tensor2d(b, [4, 2]) })
const workedPair = () => pair([0.1, -0.2, 0.3, 0.4, 0, -0.1], [0.2, -0.1, 0, 0.3, -0.4, 0.1, 0.5, 0.2])
const workedGradient = () => pair([0.05, 0.1, -0.2, -0.1, 0.2, 0.15], [0.3, -0.2, 0.1, 0.4, -0.1, 0.2, 0.25, -0.05])

const zeros = (rows: number, columns: number) => frozenFloats(new Float32Array(rows * columns), rows, columns)

/** @param transposed puts the weight into o and down, whose columns are the groups */
function workedModel(transposed = false): Model {
  const shape = { heads: 2, keyValueHeads: 2, channels: 4 }
  const config = plainConfig({ vocabularySize: 5, hiddenSize: 3, headSize: 2, layers: [shape], tiedEmbeddings: true })
  const matrix = (name: string) => {
    const reads = name === 'o' || name === 'down'
    if (reads && transposed)
      return frozenFloats(
        Float32Array.from({ length: 12 }, (_, i) => weight[(i % 4) * 3 + Math.floor(i / 4)]!),
        3,
        4,
      )
    if (!transposed && (name === 'q' || name === 'gate')) return frozenFloats(Float32Array.from(weight), 4, 3)
    return reads ? zeros(3, 4) : zeros(4, 3)
  }
  const linears = Object.fromEntries(linearNames(config).map((name) => [name, { weight: matrix(name), bias: null }]))
  return { layers: [{ shape, linears }], config } as unknown as Model
}
/** The rows of a batch without packing, each as a batch. */
const rowsOf = (batch: TokenBatch): TokenBatch[] =>
  Array.from({ length: batch.rows }, (_, row) => {
    const cut = (values: Int32Array) => values.slice(row * batch.length, (row + 1) * batch.length)
    const labels = cut(batch.labels)
    return { ...batch, ids: cut(batch.ids), labels, rows: 1, targets: labels.filter((label) => label >= 0).length }
  })
const adapterWith = (layers: Adapter['layers']): Adapter => ({ scale: 2, layers }) as Adapter
const plain = { headGroups: 'key-value-heads', normalise: 'none', reduction: 'sum' } as const

test('magnitude: the worked example, in both norms, with the adapter and without', () => {
  const adapter = adapterWith([{ q: workedPair(), gate: workedPair() }])
  const score = (norm: 'l1' | 'l2', weights: 'merged' | 'base') =>
    magnitudeScores(workedModel(), adapter, { ...plain, magnitudeNorm: norm, magnitudeWeights: weights })[0]!
  const merged = score('l1', 'merged')
  assertWithin(merged.heads, [3.73, 3.77], 1e-6, 'heads of W + BA')
  assertWithin(merged.channels, [1.93, 1.8, 2.15, 1.62], 1e-6, 'channels of W + BA')
  assertWithin(score('l1', 'base').heads, [3.25, 3.15], 1e-6, 'heads of W')
  assertWithin(score('l2', 'base').heads, [2.5625 ** 0.5, 2.1025 ** 0.5], 1e-6, 'heads of W, L2')
})

test('movement: the worked example, and added up over steps', () => {
  const adapter = adapterWith([{ q: workedPair(), gate: workedPair() }])
  const gradients = [{ q: workedGradient(), gate: workedGradient() }]
  const [scores] = movementScores(workedModel(), adapter, gradients, plain)
  assertWithin(scores!.heads, [-0.30045, 0.04365], 1e-6, 'heads')
  assertWithin(scores!.channels, [-0.08065, -0.2198, 0.07225, -0.0286], 1e-6, 'channels')
})

test("projections' scores of a group become one in every way that can be asked for", () => {
  const gate = frozenFloats(
    Float32Array.from(weight, (value) => 2 * value),
    4,
    3,
  )
  const score = (reduction: 'sum' | 'mean' | 'max' | 'product' | 'last') => {
    const model = workedModel()
    model.layers[0]!.linears['up']!.weight = gate
    const settings = { ...plain, reduction, magnitudeNorm: 'l1', magnitudeWeights: 'base' } as const
    return [...magnitudeScores(model, adapterWith([{}]), settings)[0]!.channels]
  }
  // gate has rows of 1.75, 1.5, 2.25 and 0.9, up twice that, down nothing.
  assertWithin(score('sum'), [5.25, 4.5, 6.75, 2.7], 1e-6, 'sum')
  assertWithin(score('mean'), [1.75, 1.5, 2.25, 0.9], 1e-6, 'mean')
  assertWithin(score('max'), [3.5, 3, 4.5, 1.8], 1e-6, 'max')
  assertWithin(score('product'), [0, 0, 0, 0], 0, 'product')
  assertWithin(score('last'), [0, 0, 0, 0], 0, 'last')
})

/** Statistics of features with given means of x^2 (about zero) or variances, over 5 tokens. */
const statistics = (squares: number[], over: number): FeatureStatistics => ({
  tokens: 5,
  mean: new Float64Array(squares.length),
  squares: Float64Array.from(squares, (value) => value * over),
})

test('Wanda: the worked example', () => {
  const input = statistics([4, 1, 0.25], 5)
  const nothing = statistics([1, 1, 1, 1], 5)
  const layer: LayerStatistics = { q: input, gate: input, o: nothing, down: nothing }
  const [scores] = wandaScores({ model: workedModel(), adapter: adapterWith([{}]) }, [layer], plain)
  assertWithin(scores!.heads, [4.375, 3.4], 1e-6, 'heads')
  assertWithin(scores!.channels, [2.125, 2.25, 2.5, 0.9], 1e-6, 'channels')
})

test('FLAP: the worked example, and features standardised over what is left', () => {
  const input = statistics([1, 2, 0.5, 4], 4)
  const view = { model: workedModel(true), adapter: adapterWith([{}]) }
  const [scores] = fluctuations(view, [{ o: input, down: input }])
  assertWithin(scores!.heads, [1.3125, 2.5, 0.90625, 1.16], 1e-6, 'features that o reads')
  assertWithin(scores!.channels, [1.3125, 2.5, 0.90625, 1.16], 1e-6, 'channels')
  assertWithin(standardised(Float32Array.of(1, 3, 100), Uint8Array.of(1, 1, 0)), [-1, 1, 98], 1e-6, 'channels')
  // Features are standardised (mean 3, deviation sqrt 5 over the first four), then heads are their means.
  const heads = standardised(Float32Array.of(0, 2, 4, 6, 50, 70), Uint8Array.of(1, 1, 0))
  assertWithin(heads, [-2 / 5 ** 0.5, 2 / 5 ** 0.5, 57 / 5 ** 0.5], 1e-6, 'heads')
})

test('depth: cosines of the worked rows', () => {
  const values = cosines(tf.tensor2d([1, 0, 1, 1], [2, 2]), tf.tensor2d([1, 1, 2, 2], [2, 2])).dataSync()
  assertWithin(values, [Math.SQRT1_2, 1], 1e-6, 'cosines')
})

test('single weights: the lowest of a matrix, or of each row with its activations', () => {
  const zeroed = [0, -1, 0, 1, 0, -0.5, -0.75, 0.5, 1, 0, 0, 0]
  assert.deepEqual([...withoutLowest(Float32Array.from(weight), 3, 0.5)], [...Float32Array.from(zeroed)])
  const byRow = [0.5, -1, 0, 1, 0, -0.5, -0.75, 0, 1, 0.2, -0.3, 0]
  const norms = Float32Array.of(2, 1, 0.5)
  assert.deepEqual([...withoutLowest(Float32Array.from(weight), 3, 1 / 3, norms)], [...Float32Array.from(byRow)])
})

test('the nth lowest of many values is where sorting puts it, with zeros and equal values among them', () => {
  const random = new Random(0)
  const values = Float32Array.from({ length: 70_001 }, (_, i) =>
    i % 7 === 0 ? 0 : Math.round(random.uniform() * 1e4) / 3e5,
  )
  const sorted = values.toSorted()
  for (const index of [0, 9_999, 10_000, 10_001, 35_000, 69_999, 70_000])
    assert.equal(nthLowest(values, index), sorted[index])
})

test('random: the same lots from the same seed, others from another', async () => {
  const { config } = workedModel()
  const draw = async (seed: number) => [
    ...(await randomCriterion(config, 'key-value-heads', new Random(seed)).score([]))[0]!.channels,
  ]
  assert.deepEqual(await draw(1), await draw(1))
  assert.notDeepEqual(await draw(1), await draw(2))
})

test('weight gradients are those of finite differences, and agree with the gradients of the adapter', () => {
  const { model, adapter, batch } = openFixture('llama_gqa')
  const kept = mapWeightGradients(model, adapter, [batch], {}, (_, { gradients }) =>
    Object.fromEntries(linearNames(model.config).map((name) => [name, Float32Array.from(gradients[name]!.dataSync())])),
  )
  const divisor = tf.scalar(batch.targets)
  const loss = () => {
    const found = lossAndGradients(model, adapter, batch, divisor)
    return found.loss.dataSync()[0]!
  }
  for (const [layer, { linears }] of model.layers.entries())
    for (const name of linearNames(model.config)) {
      const own = linears[name]!.weight
      assert.ok('form' in own && !('read' in own) && own.form === 'float32')
      const gradient = kept[layer]![name]!
      // Along the gradient itself the difference stands out most from rounding.
      const length = Math.hypot(...gradient)
      const step = 0.004
      const at = (sign: number) => {
        const moved = own.data.map((value, i) => value + (sign * step * gradient[i]!) / length)
        linears[name]!.weight = frozenFloats(moved, own.rows, own.columns)
        return loss()
      }
      const slope = (at(1) - at(-1)) / (2 * step)
      linears[name]!.weight = own
      assert.ok(Math.abs(slope / length - 1) < 0.02, `layers.${layer}.${name}: ${slope} is not ${length}`)
    }
  // gB = scale * g_W A^T, by the chain rule.
  const [first] = adapterGradients(model, adapter, [batch])
  const { rows, columns } = model.layers[0]!.linears['q']!.weight as { rows: number; columns: number }
  const { a } = adapter.layers[0]!.q!
  const expected = tf.mul(tf.matMul(tf.tensor2d(kept[0]!.q!, [rows, columns]), a, false, true), adapter.scale)
  assertWithin(first!.q!.b.dataSync(), expected.dataSync(), 1e-5, 'gradient of B')
})

test('gradient-guided scores in all forms, and true movement, are sums over the true gradients', () => {
  const { model, adapter, batch } = openFixture('llama_mha')
  const view = { model, adapter, masks: () => undefined, calibration: async () => [batch] }
  const channels = model.layers[0]!.shape.channels
  const sums = {
    element: new Float64Array(channels),
    vector: new Float64Array(channels),
    mixed: new Float64Array(channels),
  }
  // The gradients of each row's own mean loss.
  const rows = rowsOf(batch).map(
    (row) =>
      mapWeightGradients(model, adapter, [row], {}, (_, { gradients }) =>
        Object.fromEntries(['gate', 'up', 'down'].map((name) => [name, gradients[name]!.dataSync()])),
      )[0]!,
  )
  mapWeightGradients(model, adapter, [batch], { squares: true }, (layer, { weights, gradients, squares }) => {
    if (layer !== 0) return
    for (const name of ['gate', 'up', 'down'] as const) {
      const [w, g, h] = [weights[name]!, gradients[name]!, squares![name]!].map((tensor) => tensor.dataSync())
      const columns = weights[name]!.shape[1]!
      const largest = Math.max(...h!)
      for (let i = 0; i < w!.length; i++) {
        const channel = name === 'down' ? i % columns : Math.floor(i / columns)
        const product = w![i]! * g![i]!
        const square = rows.reduce((sum, row) => sum + row[name]![i]! ** 2, 0) / rows.length
        assert.ok(Math.abs(h![i]! - square) <= 1e-5 * square + 1e-6 * largest, 'the mean of squares is that over rows')
        sums.element[channel]! += Math.abs(product)
        sums.vector[channel]! += product
        sums.mixed[channel]! += Math.abs(product - 0.5 * h![i]! * w![i]! ** 2)
      }
    }
  })
  const score = (gradientForm: 'element-wise' | 'vector-wise' | 'mixed') =>
    gradientScores(view, [batch], { ...plain, gradientForm })[0]!.channels
  const scale = Math.max(...sums.element)
  assertWithin(score('element-wise'), sums.element, 1e-5 * scale, 'element-wise')
  assertWithin(score('vector-wise'), sums.vector.map(Math.abs), 1e-5 * scale, 'vector-wise')
  assertWithin(score('mixed'), sums.mixed, 1e-5 * scale, 'mixed')
  const [moved] = trueMovementScores(view, [batch], plain)
  assertWithin(
    moved!.channels,
    sums.vector.map((value) => -value),
    1e-5 * scale,
    'movement',
  )
})

test('the mixed form is the same however the rows are put into batches', () => {
  const { model, adapter, batch } = openFixture('llama_gqa')
  const view = { model, adapter, masks: () => undefined, calibration: async () => [batch] }
  const score = (batches: TokenBatch[]) =>
    gradientScores(view, batches, { ...plain, gradientForm: 'mixed' })[0]!.channels
  const together = score([batch])
  assertWithin(score(rowsOf(batch)), together, 1e-5 * Math.max(...together), 'row by row')
  assertWithin(score([batch, batch]), together, 1e-5 * Math.max(...together), 'every row twice')
})

test('statistics over two batches are those over all their tokens', () => {
  const { model, adapter, batch, checkpoint } = openFixture('llama_mha')
  const [once, twice] = [[batch], [batch, batch]].map((batches) =>
    activationStatistics(model, adapter, batches, undefined),
  )
  for (const name of ['q', 'o', 'gate', 'down'] as const) {
    const [one, two] = [once![0]![name]!, twice![0]![name]!]
    assert.equal(two.tokens, 2 * one.tokens)
    assertWithin(rootMeanSquares(two), rootMeanSquares(one), 1e-5, name)
    const expected = variances(one).map((value) => (value * 2 * (one.tokens - 1)) / (2 * one.tokens - 1))
    assertWithin(variances(two), expected, 1e-5, name)
  }
  // What goes into q is normalised: its squares over the norm's weights add up to the number of features.
  const norm = storedFloats(checkpoint.read('model.layers.0.input_layernorm.weight'))
  const squares = rootMeanSquares(once![0]!.q!).map((value, i) => (value / norm[i]!) ** 2)
  const total = squares.reduce((sum, value) => sum + value, 0)
  assert.ok(Math.abs(total / squares.length - 1) < 1e-2, `${total} over ${squares.length}`)
  assert.ok(checkpoint.tensors.has(weightPlaces(checkpoint.config)[0]!.tensor))
})

test('a block that hands on its input has no influence and is linear', () => {
  const { model, adapter, batch } = openFixture('llama_mha')
  const zero = (name: 'o' | 'down') => {
    const own = model.layers[1]!.linears[name]!.weight as { rows: number; columns: number }
    model.layers[1]!.linears[name]!.weight = zeros(own.rows, own.columns)
  }
  zero('o')
  zero('down')
  const bare = { ...adapter, layers: adapter.layers.map((matrices, layer) => (layer === 1 ? {} : matrices)) }
  const influence = blockInfluence({ model, adapter: bare, masks: () => undefined }, [batch])
  assert.ok(Math.abs(influence[1]!) < 1e-5 && influence[0]! > 1e-3, `${influence}`)
  const linearity = blockLinearity(model, bare, [batch])
  assert.ok(linearity[1]! > 0.999, `${linearity}`)
})
