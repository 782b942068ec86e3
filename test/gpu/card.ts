// What is promised of graphics cards alone. Run by test/gpu/swiftshader.test.ts and `npm run test:gpu`.
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { before, beforeEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { chooseBackend } from '../../engine/backends/choose.ts'
import type { CardBackend } from '../../engine/backends/webgpu/backend.ts'
import { stopWebGpu } from '../../engine/backends/webgpu/index.ts'
import { arithmeticsOf } from '../../engine/backends/webgpu/arithmetic.ts'
import { multipliesRightly } from '../../engine/backends/webgpu/self-test.ts'
import { setWeightStore, weightsOf, WeightStore } from '../../engine/backends/webgpu/weights.ts'
import { openCheckpoint } from '../../engine/models/checkpoint.ts'
import { SafetensorsFile } from '../../engine/checkpoint/safetensors.ts'
import { frozenFloats, type FrozenWeight, inMemory, quantise, weightBytes } from '../../engine/tensor/frozen-weight.ts'
import { disposeModel, loadModel } from '../../engine/models/load.ts'
import { crossEntropy } from '../../engine/ops/cross-entropy.ts'
import { gatedActivation } from '../../engine/ops/gated-activation.ts'
import { adapterImportance } from '../../engine/ops/importance.ts'
import { embed, linears } from '../../engine/ops/linear.ts'
import { rmsNorm } from '../../engine/ops/rms-norm.ts'
import { adamSteps, stepScalars } from '../../engine/training/adamw.ts'
import { passOf } from '../../engine/training/gradients.ts'
import { type Tensor, tf } from '../../engine/tensor/tf.ts'
import { floats } from '../conformance/compare.ts'
import { fixtureModel } from '../fixtures/read.ts'
import { data, needsData } from '../unit/evaluation/shared.ts'
import { assertWithin, firstBlock, forward, openFixture } from '../unit/models/shared.ts'

const open = () => chooseBackend({ device: 'webgpu' })
const card = () => tf.backend() as unknown as CardBackend
const values = (shape: number[], seed: number, scale = 1) => tf.tensor(floats(shape, seed, scale).values, shape)
const weight = (rows: number, columns: number, seed: number) =>
  frozenFloats(Float32Array.from(floats([rows, columns], seed, 0.3).values), rows, columns)

/** Everything that could grow. */
const memory = () => {
  const { numTensors } = tf.memory()
  const { numBytesAllocated, numBytesUsed } = card().bufferManager
  return { numTensors, numBytesAllocated, numBytesUsed, weights: weightsOf(card()).bytes }
}

before(open)
beforeEach(() => tf.setBackend('webgpu'))

test('one layer, forward and backward with an adapter on all seven projections, is fewer than 60 dispatches', () => {
  const { model, adapter, batch } = openFixture('llama_gqa')
  using pass = passOf(model.config, batch)
  const { block, matrices } = firstBlock(model, adapter, pass)
  assert.equal(matrices.length, 14)
  const x = values([batch.rows * batch.length, model.config.hiddenSize], 1)
  const run = () => tf.grads(block)([...matrices, x], x)
  tf.dispose(run())
  const earlier = card().dispatches
  const gradients = run()
  const dispatches = card().dispatches - earlier
  assert.equal(gradients.length, 15)
  assert.ok(dispatches < 60, `${dispatches} dispatches`)
  assert.ok(dispatches > 20, `only ${dispatches}: not everything was counted`)
})

const manySteps = process.env['SECATEUR_GPU_LONG'] ? 500 : 100

test(`memory of the card does not grow over ${manySteps} steps`, () => {
  const [gate, up, head] = [weight(12, 8, 1), quantise(weight(12, 8, 2)), weight(9, 12, 3)]
  const settings = { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.01 }
  // Ranks whose kernels other tests compile anyway: that takes seconds where a processor plays the card.
  let matrices = [
    [4, 8],
    [12, 4],
    [4, 8],
    [12, 4],
  ].map((shape, i) => values(shape, 4 + i))
  let moments = matrices.flatMap((tensor) => [tf.zerosLike(tensor), tf.zerosLike(tensor)])
  const x = values([6, 8], 8)
  const norm = tf.ones([8])
  const labels = tf.tensor1d([0, 3, -1, 8, 2, 1], 'int32')
  const divisor = tf.scalar(5)
  const step = (number: number): number => {
    const { value, grads } = tf.valueAndGrads((a0: Tensor, b0: Tensor, a1: Tensor, b1: Tensor) => {
      const [y0, y1] = linears(rmsNorm(x, norm as Tensor, 1e-5), [
        { linear: { weight: gate, bias: null }, lowRank: { a: a0, b: b0, scale: 1 } },
        { linear: { weight: up, bias: null }, lowRank: { a: a1, b: b1, scale: 1 } },
      ])
      const [logits] = linears(gatedActivation(y0!, y1!, 'silu'), [{ linear: { weight: head, bias: null } }])
      return crossEntropy(logits!, labels, divisor) as never
    })(matrices as never)
    const scalars = stepScalars(settings, number, 0.01)
    const next = adamSteps(
      matrices.map((matrix, i) => ({
        value: matrix,
        first: moments[2 * i]!,
        second: moments[2 * i + 1]!,
        gradient: grads[i]!,
      })),
      settings,
      scalars,
    )
    tf.dispose([...matrices, ...moments, ...grads, ...Object.values(scalars)])
    matrices = next.map((updated) => updated.value)
    moments = next.flatMap(({ first, second }) => [first, second])
    const loss = (value as Tensor).dataSync()[0]!
    tf.dispose(value)
    return loss
  }
  const first = step(1)
  for (let i = 2; i <= 20; i++) step(i)
  const early = memory()
  let last = 0
  for (let i = 21; i <= manySteps; i++) last = step(i)
  assert.deepEqual(memory(), early)
  assert.ok(last < first / 2, `the loss went from ${first} to ${last}`)
})

test('weights that do not fit are streamed, and come out the same', () => {
  const { model, batch } = openFixture('llama_gqa')
  setWeightStore(card(), new WeightStore(card()))
  const whole = forward(model, batch)
  const { bytes } = weightsOf(card())
  const budget = Math.floor(bytes / 2)
  setWeightStore(card(), new WeightStore(card(), { budget }))
  for (let i = 0; i < 2; i++) assertWithin(forward(model, batch), whole, 0, 'streamed logits')
  const streamed = weightsOf(card())
  assert.ok(streamed.bytes <= budget, `${streamed.bytes} bytes lie on the card, more than ${budget}`)
  assert.ok(streamed.uploaded > bytes, `${streamed.uploaded} bytes were uploaded in all`)
  setWeightStore(card(), new WeightStore(card()))
})

for (const int8 of [false, true])
  test(
    `weights${int8 ? ' in int8' : ''} go from their file to the card: the host keeps what is streamed in int8 alone`,
    needsData,
    async () => {
      using checkpoint = openCheckpoint(data('stories260K'))
      const ids = Int32Array.from({ length: 16 }, (_, i) => (i * 31) % 500)
      const batch = { ids, labels: ids, segments: null, positions: null, rows: 1, length: 16, targets: 16 }
      setWeightStore(card(), new WeightStore(card()))
      globalThis.gc!()
      const earlier = process.memoryUsage().arrayBuffers
      const model = loadModel(checkpoint, { int8 })
      const most = checkpoint.bytes / 20
      // Memory of arrays that are gone is given back by another thread, some time after the collection.
      let grown = Infinity
      for (let attempt = 0; attempt < 50 && grown >= most; attempt++) {
        globalThis.gc!()
        await sleep(20)
        grown = process.memoryUsage().arrayBuffers - earlier
      }
      const { bytes, hostBytes } = weightsOf(card())
      assert.ok(bytes > (int8 ? 0.25 : 0.95) * checkpoint.bytes, `${bytes} bytes lie on the card`)
      assert.equal(hostBytes, 0)
      assert.ok(grown < most, `the host holds ${grown} bytes more, of a model of ${checkpoint.bytes}`)

      // The same weights in host memory, as other back ends hold them.
      const held = {
        ...model,
        embedding: inMemory(model.embedding as FrozenWeight),
        head: { weight: inMemory(model.head!.weight as FrozenWeight), bias: null },
        layers: model.layers.map((layer) => ({
          ...layer,
          linears: Object.fromEntries(
            Object.entries(layer.linears).map(([name, { weight: matrix, bias }]) => [
              name,
              { weight: inMemory(matrix as FrozenWeight), bias },
            ]),
          ),
        })),
      }
      const expected = forward(held, batch)
      assertWithin(forward(model, batch), expected, 0, 'logits')
      disposeModel(model)

      const budget = Math.floor(bytes / 2)
      setWeightStore(card(), new WeightStore(card(), { budget }))
      const streamed = loadModel(checkpoint, { int8 })
      for (let i = 0; i < 3; i++) assertWithin(forward(streamed, batch), expected, 0, 'streamed logits')
      const store = weightsOf(card())
      assert.ok(store.bytes <= budget && store.uploaded > bytes, `${store.uploaded} bytes were uploaded in all`)
      const linearLayers = streamed.layers.flatMap((layer) => Object.values(layer.linears))
      const inInt8 = linearLayers.reduce((sum, { weight: matrix }) => sum + weightBytes(matrix as FrozenWeight), 0)
      if (int8) assert.ok(store.hostBytes > 0 && store.hostBytes <= inInt8, `${store.hostBytes} bytes on the host`)
      else assert.equal(store.hostBytes, 0)
      disposeModel(streamed)
      assert.deepEqual([store.bytes, store.hostBytes], [0, 0])
      setWeightStore(card(), new WeightStore(card()))
    },
  )

test('a number in a weight that is not finite is found while the weights go to the card, with its place', () => {
  const folder = mkdtempSync(join(tmpdir(), 'secateur-weights-'))
  try {
    cpSync(fixtureModel('llama_mha'), folder, { recursive: true })
    const file = join(folder, 'model.safetensors')
    const place = new SafetensorsFile(file)
    const { begin, shape } = place.tensors.get('model.layers.1.mlp.up_proj.weight')!
    place.close()
    const bytes = readFileSync(file)
    bytes.writeFloatLE(Number.NaN, begin + 4 * (3 * shape[1]! + 5))
    writeFileSync(file, bytes)
    for (const budget of [Number.POSITIVE_INFINITY, 1000]) {
      using checkpoint = openCheckpoint(folder)
      setWeightStore(card(), new WeightStore(card(), { budget }))
      assert.throws(() => loadModel(checkpoint), /model\.layers\.1\.mlp\.up_proj\.weight.*holds NaN at \[3,5\]/s)
    }
  } finally {
    setWeightStore(card(), new WeightStore(card()))
    rmSync(folder, { recursive: true })
  }
})

test('weights larger than a buffer may be are split, and compute the same', () => {
  const one = weight(23, 10, 1)
  const int8 = quantise(weight(23, 10, 2))
  const [a, b, gradientA, gradientB] = [
    [3, 10],
    [23, 3],
    [3, 10],
    [23, 3],
  ].map((shape, i) => values(shape, 3 + i))
  const x = values([5, 10], 9)
  const ids = tf.tensor1d([22, 0, 7, 8, 15], 'int32')
  const compute = () =>
    tf.tidy(() => {
      const layers = (low: Tensor[]) =>
        linears(x, [
          { linear: { weight: one, bias: null }, lowRank: { a: low[0]!, b: low[1]!, scale: 2 } },
          { linear: { weight: int8, bias: null } },
        ])
      const gradient = tf.grads((input: Tensor) => {
        const [first, second] = linears(input, [
          { linear: { weight: one, bias: null }, lowRank: { a: a!, b: b!, scale: 2 } },
          { linear: { weight: int8, bias: null } },
        ])
        return tf.mul(first!, second!)
      })([x])
      const importances = [one, int8].flatMap((matrix) =>
        (['rows', 'columns'] as const).map((along) =>
          adapterImportance(matrix, { a: a!, b: b! }, { a: gradientA!, b: gradientB! }, 2, 1, along),
        ),
      )
      return [...layers([a!, b!]), ...gradient, ...importances, embed(ids, one), embed(ids, int8)].map((tensor) =>
        Float32Array.from(tensor.dataSync()),
      )
    })
  setWeightStore(card(), new WeightStore(card()))
  const whole = compute()
  setWeightStore(card(), new WeightStore(card(), { largestPart: 600 }))
  assert.deepEqual(
    weightsOf(card())
      .get(one)
      .parts.map(({ start, rows }) => [start, rows]),
    [
      [0, 8],
      [8, 8],
      [16, 7],
    ],
  )
  for (const [i, result] of compute().entries()) assertWithin(result, whole[i]!, 1e-4, `result ${i}`)
  setWeightStore(card(), new WeightStore(card()))
})

test('products with subgroup matrices are right, four subgroups or eight to a workgroup', (t) => {
  const [matrix] = arithmeticsOf(card())
  if (matrix?.kind !== 'matrix') return t.skip('the card has no subgroup matrices')
  for (const across of [2, 4] as const)
    assert.ok(multipliesRightly(card(), { ...matrix, across }), `${2 * across} subgroups`)
})

test('a way to multiply that the card does not have fails its test, and nothing else suffers', () => {
  assert.equal(multipliesRightly(card(), { kind: 'matrix', m: 16, n: 32, k: 16, subgroup: 3, across: 2 }), false)
  assert.deepEqual(
    [...tf.add(values([2], 1), values([2], 1)).dataSync()],
    floats([2], 1, 1).values.map((v) => Math.fround(2 * Math.fround(v))),
  )
})

const cycles = 20
const takesLong = process.env['SECATEUR_GPU_LONG']
  ? false
  : 'every start compiles anew, which takes seconds where a processor plays the card: npm run test:gpu'

test(`the card can be opened ${cycles} times, and given up in the middle`, { skip: takesLong }, async () => {
  const lone = weight(8, 8, 1)
  let expected: Float32Array | null = null
  let early = 0
  for (let cycle = 0; cycle < cycles; cycle++) {
    await open()
    await tf.setBackend('webgpu')
    // Nothing of this is disposed of, as when a run is stopped.
    const [y] = linears(values([4, 8], 2), [
      { linear: { weight: lone, bias: null }, lowRank: { a: values([2, 8], 3), b: values([8, 2], 4), scale: 1 } },
    ])
    const result = Float32Array.from(y!.dataSync())
    expected ??= result
    assert.deepEqual(result, expected)
    await tf.setBackend('cpu')
    stopWebGpu()
    globalThis.gc?.()
    if (cycle === Math.floor(cycles / 2)) early = process.memoryUsage.rss()
  }
  const grown = (process.memoryUsage.rss() - early) / 1e6
  assert.ok(grown < 60, `the process grew by ${grown.toFixed(0)} MB over the second half`)
  await open()
})
