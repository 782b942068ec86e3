import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lastSelection, plannedRatio, ratioToSelect, selections } from '../../../engine/pruning/schedule.ts'

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

test('groups are chosen at every so many steps, and for the last time where the cool-down begins', () => {
  for (const [steps, frequency, coolDown] of [
    [100, 10, 0.1],
    [100, 5, 0],
    [7, 10, 0.1],
    [61, 7, 0.3],
    [30, 1, 0.1],
    [5, 1, 1],
    [1, 1, 0],
  ] as const) {
    const schedule = { steps, warmUp: 0.1, coolDown, initialRatio: 0, finalRatio: 0.5, frequency }
    const chosen = Array.from({ length: steps }, (_, i) => i + 1).filter((t) => ratioToSelect(schedule, t) !== null)
    assert.equal(chosen.length, selections(schedule))
    assert.equal(chosen.at(-1), lastSelection(schedule))
    assert.equal(ratioToSelect(schedule, lastSelection(schedule)), 0.5)
    for (const t of chosen.slice(0, -1)) assert.equal(t % frequency, 0)
  }
  const schedule = { steps: 100, warmUp: 0.1, coolDown: 0.1, initialRatio: 0, finalRatio: 0.5, frequency: 10 }
  // 20, 30, ... 90 and 91: at 10 nothing is to be removed yet.
  assert.equal(selections(schedule), 9)
})

test('choices are counted at once, however many steps there are', () => {
  // So many that going over them would never end.
  const schedule = { steps: 2 ** 51, warmUp: 0.5, coolDown: 0.25, initialRatio: 0, finalRatio: 0.5, frequency: 1 }
  // One at every step from half the steps to three quarters of them, and the last one where the cool-down begins.
  assert.equal(selections(schedule), 2 ** 49 + 1)
})
