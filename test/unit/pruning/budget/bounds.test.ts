import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Budget, parseBudget } from '../../../../engine/contract/index.ts'
import { boundsOf, limitOf } from '../../../../engine/pruning/budget/bounds.ts'
import { Random } from '../../../../engine/shared/random.ts'

const units: [measure: Budget['measure'], unit: Budget['unit'], sizes: number][] = [
  ['parameters', 'share', 1e9],
  ['parameters', 'amount', 1e9],
  ['memory', 'share', 1e11],
  ['memory', 'amount', 1e11],
  ['memory', 'amount', 1e5],
  ['prompt', 'times', 1e4],
  ['prompt', 'amount', 1e4],
  ['generation', 'times', 20],
  ['generation', 'amount', 20],
]

test('the bounds of what can be met can be met themselves, and hardly anything lies beyond them', () => {
  const random = new Random(7)
  for (const [measure, unit, size] of units)
    for (let round = 0; round < 300; round++) {
      const whole = measure === 'parameters' || measure === 'memory'
      const number = () => (whole ? Math.ceil(size * random.uniform()) : size * random.uniform())
      const [least, before] = [number(), number()].toSorted((one, other) => one - other) as [number, number]
      if (least === before) continue
      const bounds = boundsOf({ measure, unit }, { before, least })!
      const limits = [bounds.least, bounds.most].map((text) => limitOf(parseBudget(text), before))
      const told = `${JSON.stringify(bounds)} of ${least} and ${before}`
      for (const limit of limits) assert.ok(limit >= least && limit < before, told)
      if (least < 0.9 * before)
        assert.ok(limits[0]! - least <= 0.1 * before && before - limits[1]! <= 0.1 * before, told)
    }
})

test('bounds are told as a job takes them, in few digits and in units of their size', () => {
  const range = { least: 2_345_678, before: 9_876_543 }
  assert.deepEqual(boundsOf({ measure: 'parameters', unit: 'share' }, range), {
    least: 'parameters=0.2375',
    most: 'parameters=0.9999',
  })
  assert.deepEqual(boundsOf({ measure: 'parameters', unit: 'amount' }, range), {
    least: 'parameters=2345678',
    most: 'parameters=9876542',
  })
  assert.deepEqual(boundsOf({ measure: 'memory', unit: 'amount' }, range), {
    least: 'memory=2.4MB',
    most: 'memory=9.8MB',
  })
  const times = { least: 12.34, before: 40 }
  assert.deepEqual(boundsOf({ measure: 'prompt', unit: 'times' }, times), {
    least: 'prompt=3.241x',
    most: 'prompt=1.001x',
  })
  assert.deepEqual(boundsOf({ measure: 'generation', unit: 'amount' }, times), {
    least: 'generation=12.4ms',
    most: 'generation=39.9ms',
  })
  // A narrow range takes more digits.
  assert.deepEqual(boundsOf({ measure: 'memory', unit: 'amount' }, { least: 5_010_000, before: 5_030_000 }), {
    least: 'memory=5.01MB',
    most: 'memory=5.02MB',
  })
  assert.equal(boundsOf({ measure: 'memory', unit: 'share' }, { least: 7, before: 7 }), null)
})
