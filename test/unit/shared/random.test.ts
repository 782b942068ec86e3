import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../../../engine/shared/random.ts'

const draw = (count: number, next: () => number) => Array.from({ length: count }, next)
const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

test('gives what the reference program xoshiro128starstar.c gives from the state 1, 2, 3, 4', () => {
  const random = Random.restore([1, 2, 3, 4])
  assert.deepEqual(
    draw(10, () => random.bits()),
    [11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804],
  )
})

test('keeps the numbers of a seed, so that old runs can be repeated', () => {
  assert.deepEqual(new Random(1).state(), [1273554988, 599843188, 1189369191, 2730450645])
  assert.equal(new Random(1).uniform(), 0.4524033811789596)
  assert.deepEqual([...new Random(1).permutation(8)], [3, 2, 7, 6, 0, 5, 4, 1])
})

test('goes on from a saved state', () => {
  const random = new Random(7)
  draw(100, () => random.uniform())
  const again = Random.restore(JSON.parse(JSON.stringify(random.state())))
  assert.deepEqual(
    draw(50, () => again.normal()),
    draw(50, () => random.normal()),
  )
  for (const state of [
    [0, 0, 0, 0],
    [1, 2, 3],
    [1, 2, 3, -1],
    [1, 2, 3, 0.5],
    [1, 2, 3, 2 ** 32],
  ]) {
    assert.throws(() => Random.restore(state as unknown as [number, number, number, number]), RangeError)
  }
})

test('seeds that differ in any of their bits give different streams', () => {
  const seeds = [0, 1, 2, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 52, -1]
  assert.equal(new Set(seeds.map((seed) => new Random(seed).uniform())).size, seeds.length)
})

test('uniform numbers have the moments of the uniform distribution and fill all of it', () => {
  const random = new Random(11)
  const values = draw(100_000, () => random.uniform())
  assert.ok(values.every((value) => value >= 0 && value < 1))
  // Five standard errors: 5 * sqrt(1 / 12 / 100000) and 5 * sqrt(1 / 180 / 100000).
  assert.ok(Math.abs(mean(values) - 1 / 2) < 0.0046)
  assert.ok(Math.abs(mean(values.map((value) => (value - 1 / 2) ** 2)) - 1 / 12) < 0.0012)
  const neighbours = mean(values.slice(1).map((value, index) => (value - 1 / 2) * (values[index]! - 1 / 2)))
  assert.ok(Math.abs(neighbours) < 0.0014)
})

test('normal numbers have the moments and the tails of the normal distribution', () => {
  const random = new Random(12)
  const values = draw(100_000, () => random.normal())
  assert.ok(Math.abs(mean(values)) < 0.016)
  assert.ok(Math.abs(mean(values.map((value) => value ** 2)) - 1) < 0.023)
  assert.ok(Math.abs(mean(values.map((value) => value ** 4)) - 3) < 0.16)
  assert.ok(Math.abs(mean(values.map((value) => Number(Math.abs(value) < 1.959964))) - 0.95) < 0.0035)
})

test('integers are evenly spread, also where n divides 2^32 badly', () => {
  const random = new Random(13)
  const counts = Array.from({ length: 10 }, () => 0)
  for (let draws = 0; draws < 100_000; draws++) counts[random.integer(10)]!++
  const chiSquare = counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0)
  assert.ok(chiSquare < 33.7, `${chiSquare} is above the 99.99th percentile of 9 degrees of freedom`)
  // Without rejection, five eighths of these would lie in the lower half.
  const low = draw(30_000, () => Number(random.integer(3 * 2 ** 30) < 3 * 2 ** 29))
  assert.ok(Math.abs(mean(low) - 1 / 2) < 0.0145)
  for (const n of [0, -1, 1.5, 2 ** 32 + 1, NaN]) assert.throws(() => random.integer(n), RangeError)
})

test('every permutation is equally likely', () => {
  const random = new Random(14)
  const counts = new Map<string, number>()
  for (let draws = 0; draws < 24_000; draws++) {
    const order = random.permutation(4).join()
    counts.set(order, (counts.get(order) ?? 0) + 1)
  }
  assert.equal(counts.size, 24)
  const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0)
  assert.ok(chiSquare < 57, `${chiSquare} is above the 99.99th percentile of 23 degrees of freedom`)
  assert.deepEqual([...random.permutation(0)], [])
})

test('a fork depends on the state and the label, takes nothing from its parent and goes its own way', () => {
  const parent = new Random(15)
  const before = parent.state()
  const [first, same, other] = [parent.fork('dropout'), parent.fork('dropout'), parent.fork('dropou')]
  assert.deepEqual(parent.state(), before)
  assert.deepEqual(first.state(), same.state())
  assert.notDeepEqual(first.state(), other.state())
  const pairs = draw(50_000, () => (first.uniform() - 1 / 2) * (other.uniform() - 1 / 2))
  assert.ok(Math.abs(mean(pairs)) < 0.0019)
  const firsts = Array.from({ length: 20_000 }, (_, epoch) => parent.fork(`pass ${epoch}`).uniform())
  assert.ok(Math.abs(mean(firsts) - 1 / 2) < 0.0103)
  assert.equal(new Set(firsts).size, firsts.length)
  parent.uniform()
  assert.notDeepEqual(parent.fork('dropout').state(), same.state())
})
