import assert from 'node:assert/strict'
import { test } from 'node:test'
import { plannedRatio } from '../../../engine/pruning/schedule.ts'

test('the cubic schedule gives the worked values', () => {
  const schedule = { steps: 100, warmUp: 0.1, coolDown: 0.1, initialRatio: 0, finalRatio: 0.5, frequency: 10 }
  const expected = {
    0: 0,
    10: 0,
    11: 0.018517,
    20: 0.165039,
    30: 0.289062,
    50: 0.4375,
    70: 0.492188,
    90: 0.5,
    91: 0.5,
    100: 0.5,
  }
  for (const [t, ratio] of Object.entries(expected)) {
    assert.ok(
      Math.abs(plannedRatio(schedule, Number(t)) - ratio) < 1e-6,
      `t = ${t}: ${plannedRatio(schedule, Number(t))} is not ${ratio}`,
    )
  }
})
