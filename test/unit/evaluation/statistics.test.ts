import assert from 'node:assert/strict'
import { test } from 'node:test'
import { macroAverage, mean, standardError } from '../../../engine/evaluation/statistics.ts'

test('the standard error is that of the sample, as the closed form for right and wrong says', () => {
  const values = [1, 1, 0, 1, 0, 0, 0, 1, 1, 1, 1]
  const acc = mean(values)
  assert.ok(Math.abs(standardError(values)! - Math.sqrt((acc * (1 - acc)) / 10)) < 1e-15)
  assert.equal(standardError([0, 0, 0]), 0)
  assert.equal(standardError([1]), null)
})

test('the average that papers print mixes acc and acc_norm by task', () => {
  const scores = { boolq: { acc: 0.7 }, hellaswag: { acc: 0.1, accNorm: 0.5 }, piqa: { acc: 0.6, accNorm: 0.9 } }
  assert.ok(Math.abs(macroAverage(scores, 'acc') - 1.4 / 3) < 1e-15)
  assert.ok(Math.abs(macroAverage(scores, 'published') - 1.8 / 3) < 1e-15)
})
