// What a graphics card promises of deep products. Run by test/gpu/swiftshader.test.ts and `npm run test:gpu`.
import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { currentCard } from '../../engine/backends/webgpu/measure.ts'
import { product } from '../../engine/backends/webgpu/kernels/product.ts'
import { piecesOf } from '../../engine/backends/webgpu/kernels/split-product.ts'
import { setWeightStore, weightsOf, WeightStore } from '../../engine/backends/webgpu/weights.ts'
import { type FrozenWeight, frozenFloats, quantise } from '../../engine/tensor/frozen-weight.ts'
import { type TensorInfo, tf } from '../../engine/tensor/tf.ts'
import { floats } from '../conformance/compare.ts'
import { assertWithin, startBackend } from '../unit/models/shared.ts'

before(startBackend)

const tensor = (shape: number[], seed: number, scale = 1) => tf.tensor(floats(shape, seed, scale).values, shape)

test('only results of few tiles over a great depth are split, into pieces that fill a card', () => {
  // A head of 32,000 words, 2048 wide, and 512 rows: 64 tiles of 128 x 128.
  assert.deepEqual(piecesOf(64, 32_000), { pieces: 4, depth: 8064 })
  assert.deepEqual(piecesOf(4, 128_256), { pieces: 61, depth: 2112 })
  // A piece has 1536 places at least.
  assert.deepEqual(piecesOf(4, 4096), { pieces: 2, depth: 2112 })
  assert.equal(piecesOf(4, 3000).pieces, 1)
  assert.equal(piecesOf(128, 128_256).pieces, 1)
})

const [rows, depth, width, rank] = [7, 4703, 20, 3] as const
const values = Float32Array.from(floats([depth, width], 1, 0.1).values)

/** dy W with an adapter and what stands there already; the bits, and how many dispatches that took. */
function run(weight: FrozenWeight) {
  const card = currentCard()!
  const dy = tensor([rows, depth], 2, 0.1)
  const low = tf.pad2d(tensor([rows, rank], 3) as never, [
    [0, 0],
    [0, 1],
  ])
  const matrix = tensor([rank, width], 4)
  const into = tf.clone(tensor([rows, width], 5)).add(0)
  const { dispatches } = card
  const y: TensorInfo = product(card, dy, weight, {
    transposed: true,
    lowRank: { low, offset: 0, matrix, rank },
    into,
  })
  const used = card.dispatches - dispatches
  const found = Float32Array.from(card.readSync(y.dataId) as Float32Array)
  const expected = tf.tidy(() =>
    tf.addN([tensor([rows, width], 5), tf.matMul(tensor([rows, rank], 3) as never, matrix as never)]),
  )
  const wanted = Float32Array.from(expected.dataSync())
  const [x] = [dy.dataSync()]
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < width; column++) {
      let sum = 0
      for (let d = 0; d < depth; d++) sum += x[row * depth + d]! * values[d * width + column]!
      wanted[row * width + column]! += sum
    }
  tf.dispose([dy, low, matrix, into, expected])
  return { found, wanted, used }
}

for (const form of ['float32', 'int8'] as const)
  test(`a deep product with ${form} weights is summed in pieces, with the same bits in every run`, () => {
    const weight = form === 'int8' ? quantise(frozenFloats(values, depth, width)) : frozenFloats(values, depth, width)
    const one = run(weight)
    // Eight bits move a weight by 0.2 % of the largest of its row.
    assertWithin(one.found, one.wanted, form === 'int8' ? 0.05 : 2e-5, 'sums of pieces')
    assert.ok(one.used >= 2, 'a product, and what adds its pieces up')
    for (let i = 0; i < 3; i++) assert.deepEqual(run(weight).found, one.found)
    const store = weightsOf(currentCard()!)
    try {
      // Two parts, of which the first alone is deep enough to be split.
      setWeightStore(
        currentCard()!,
        new WeightStore(currentCard()!, { largestPart: form === 'int8' ? 76_800 : 307_200 }),
      )
      const parts = run(weight)
      assertWithin(parts.found, one.found, 2e-5, 'sums of parts')
      assert.ok(parts.used > one.used)
    } finally {
      setWeightStore(currentCard()!, store)
    }
  })
