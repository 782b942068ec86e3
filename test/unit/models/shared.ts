import assert from 'node:assert/strict'
import { after } from 'node:test'
import { chooseBackend } from '../../../engine/backends/choose.ts'
import { flushBackend } from '../../../engine/backends/extras.ts'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'
import { linearNames } from '../../../engine/models/tensors.ts'
import type { TokenBatch } from '../../../engine/data/batches.ts'
import { type Adapter, adapterFrom, type LayerMatrices, lowRankOf, pairsOf } from '../../../engine/lora/adapter.ts'
import type { LayerMask, Model, Pass } from '../../../engine/models/family.ts'
import { embedIds, forward as runBlocks, logits } from '../../../engine/models/forward.ts'
import { loadModel, type LoadModelOptions } from '../../../engine/models/load.ts'
import { type Tensor, tf } from '../../../engine/tensor/tf.ts'
import { passOf } from '../../../engine/training/gradients.ts'
import { testedBackend, testsHalfPrecision } from '../../tested-backend.ts'
import { type Fixture, type FixtureName, fixtureModel, loadFixture } from '../../fixtures/read.ts'

export const startBackend = () => chooseBackend({ device: testedBackend, threads: 1 })

/** A fixture with its checkpoint, read the way a job reads it. */
export function openFixture(name: FixtureName, options: LoadModelOptions = {}) {
  const checkpoint = openCheckpoint(fixtureModel(name))
  after(() => checkpoint[Symbol.dispose]())
  const fixture = loadFixture(name)
  const model = loadModel(checkpoint, options)
  return { fixture, checkpoint, model, adapter: adapterOf(model, fixture), batch: batchOf(fixture) }
}

export function adapterOf(model: Model, { lora }: Fixture, dropout = 0): Adapter {
  const settings = {
    rank: lora.rank,
    alpha: lora.alpha,
    dropout,
    rankStabilised: false,
    targetModules: linearNames(model.config),
  }
  return adapterFrom(model.config, settings, (layer, projection) => {
    const { a, b } = lora.adapter[`layers.${layer}.${projection}`]!
    return { a: a.data, b: b.data }
  })
}

/** The first block as a function of its adapter's matrices and its input, which comes last, and those matrices. */
export function firstBlock(model: Model, adapter: Adapter, pass: Pass) {
  const pairs = pairsOf(adapter.layers[0]!)
  const block = (...args: Tensor[]): Tensor => {
    const matrices = Object.fromEntries(pairs.map(([name], i) => [name, { a: args[2 * i]!, b: args[2 * i + 1]! }]))
    const lowRank = lowRankOf(adapter, 0, matrices)
    return model.family.block(args.at(-1)!, model.layers[0]!, model.config, pass, { lowRank })
  }
  return { block, matrices: pairs.flatMap(([, { a, b }]) => [a, b]) }
}

/** The fixture's two rows, with the targets that the loss is over. */
export function batchOf({ ids, targets }: Pick<Fixture, 'ids' | 'targets'>): TokenBatch {
  const labels = Int32Array.from(targets.flat())
  return {
    ids: Int32Array.from(ids.flat()),
    labels,
    segments: null,
    positions: null,
    rows: ids.length,
    length: ids[0]!.length,
    targets: labels.filter((label) => label >= 0).length,
  }
}

/** Some rows of a batch. */
export function rowsOfBatch(batch: TokenBatch, start: number, rows: number): TokenBatch {
  const cut = (values: Int32Array) => values.slice(start * batch.length, (start + rows) * batch.length)
  const labels = cut(batch.labels)
  return { ...batch, ids: cut(batch.ids), labels, rows, targets: labels.filter((label) => label >= 0).length }
}

/** Logits [rows * length * vocabulary] of a whole pass. */
export function forward(
  model: Model,
  batch: TokenBatch,
  { adapter, masks }: { adapter?: Adapter; masks?: LayerMask[] } = {},
): Float32Array {
  using pass = passOf(model.config, batch)
  const x = runBlocks(model, embedIds(model, batch.ids), pass, {
    extras: (layer) => ({ lowRank: adapter && lowRankOf(adapter, layer), mask: masks?.[layer] }),
  })
  return logitsOf(x, model)
}

/** Logits [vocabulary] after the last of some ids, by a whole pass. */
export function lastLogits(model: Model, ids: readonly number[]): Float32Array {
  using pass = model.family.makePass(model.config, 1, ids.length)
  const x = runBlocks(model, embedIds(model, ids), pass)
  return logitsOf(x, model, ids.length - 1)
}

/** Logits of the rows from `first` on; disposes of x. */
function logitsOf(x: Tensor, model: Model, first = 0): Float32Array {
  const result = tf.tidy(() => logits(tf.slice(x, [first, 0]), model))
  flushBackend()
  const values = Float32Array.from(result.dataSync())
  tf.dispose([x, result])
  return values
}

export function largestDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  assert.equal(actual.length, expected.length)
  let worst = 0
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!)
    // A NaN must fail the comparison whatever stands beside it.
    if (Number.isNaN(difference)) return Number.NaN
    worst = Math.max(worst, difference)
  }
  return worst
}

const largestOf = (values: ArrayLike<number>) =>
  Array.from(values).reduce((most, value) => Math.max(most, Math.abs(value)), 0)

export function assertWithin(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what: string,
): void {
  const worst = largestDifference(actual, expected)
  // Rounding every factor to 16 bits moves these models' gradients by up to 1.5 % of the largest, and logits and losses by
  // less: twice that is allowed. test/gpu/rounding.ts shows that it is rounding and nothing else.
  const most = testsHalfPrecision ? Math.max(tolerance, 0.03 * largestOf(expected)) : tolerance
  assert.ok(worst <= most, `${what}: differs by ${worst}, more than ${most}`)
}

/** Asserts that every matrix of an adapter, or of its gradients, is the fixture's. */
export function assertMatrices(
  layers: readonly LayerMatrices[],
  expected: Fixture['lora']['adapter'],
  tolerance: number,
  what: string,
): void {
  let compared = 0
  for (const [layer, matrices] of layers.entries())
    for (const [projection, pair] of pairsOf(matrices))
      for (const side of ['a', 'b'] as const) {
        const name = `layers.${layer}.${projection}`
        assertWithin(pair[side].dataSync(), expected[name]![side].data, tolerance, `${what} ${name}.${side}`)
        compared++
      }
  assert.equal(compared, 2 * Object.keys(expected).length)
}
