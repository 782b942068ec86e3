// Products of 16-bit floats differ from exact ones by the rounding of their factors, and by nothing else. Run by
// `npm run test:gpu` for the ways to multiply that round.
import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { median } from 'simple-statistics'
import { registerFrozenComposites } from '../../engine/backends/frozen-composite.ts'
import { pairsOf } from '../../engine/lora/adapter.ts'
import { lossAndGradients } from '../../engine/training/gradients.ts'
import { tf } from '../../engine/tensor/tf.ts'
import { FIXTURES } from '../fixtures/read.ts'
import { registerRoundedProducts } from '../rounded-products.ts'
import { forward, openFixture, startBackend } from '../unit/models/shared.ts'

before(async () => {
  await startBackend()
  registerFrozenComposites('cpu')
})

type Results = Map<string, Float32Array>

/** Logits and the gradients of every adapter matrix; the weights are as they are stored, or int8. */
async function compute(name: (typeof FIXTURES)[number], int8: boolean, backend: string): Promise<Results> {
  await tf.setBackend(backend)
  const { model, adapter, batch } = openFixture(name, { int8 })
  const results: Results = new Map([['logits', forward(model, batch)]])
  const { gradients } = lossAndGradients(model, adapter, batch, tf.scalar(batch.targets))
  for (const [layer, matrices] of gradients.entries())
    for (const [projection, pair] of pairsOf(matrices))
      for (const side of ['a', 'b'] as const)
        results.set(`layers.${layer}.${projection}.${side}`, Float32Array.from(pair[side].dataSync()))
  return results
}

const norm = (values: Iterable<number>) => Math.sqrt([...values].reduce((sum, value) => sum + value * value, 0))

/** Length of the difference relative to the expected vector, averaged over all results. */
function meanDifference(actual: Results, expected: Results): number {
  assert.deepEqual([...actual.keys()], [...expected.keys()])
  const relative = [...expected].map(([what, values]) => {
    const got = actual.get(what)!
    assert.equal(got.length, values.length)
    return norm(values.map((value, i) => got[i]! - value)) / norm(values)
  })
  return relative.reduce((sum, value) => sum + value, 0) / relative.length
}

/** Of each model, what is left of the difference that rounding accounts for. */
const left: number[] = []

for (const name of FIXTURES)
  for (const int8 of [false, true])
    test(`${name}${int8 ? ' in int8' : ''}: the card rounds factors, and does nothing else to the result`, async (t) => {
      const exact = await compute(name, int8, 'cpu')
      const kernel = tf.getKernel('FrozenLinear', 'cpu')!
      registerRoundedProducts()
      const rounded = await compute(name, int8, 'cpu')
      tf.unregisterKernel('FrozenLinear', 'cpu')
      tf.registerKernel(kernel)
      const card = await compute(name, int8, 'webgpu')
      const [rest, rounding] = [meanDifference(card, rounded), meanDifference(exact, rounded)]
      left.push(rest / rounding)
      t.diagnostic(`${rest.toExponential(1)} is left of ${rounding.toExponential(1)}`)
      // What is left are factors beside a tie that were rounded the other way.
      assert.ok(rest < rounding / 2, `${rest} is left where rounding accounts for ${rounding}`)
    })

test('of half of the models a fifth at most is left of what rounding accounts for', (t) => {
  assert.equal(left.length, 2 * FIXTURES.length)
  t.diagnostic(left.map((share) => share.toFixed(2)).join(' '))
  assert.ok(median(left) < 0.2, `the median is ${median(left)}`)
})
