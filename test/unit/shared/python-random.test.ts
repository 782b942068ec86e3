import assert from 'node:assert/strict'
import { test } from 'node:test'
import { selectRows } from '../../../engine/evaluation/select.ts'
import { PythonRandom } from '../../../engine/shared/python-random.ts'

// Every expected value was printed by CPython 3.11.7 (random.Random(seed) and the method named).

const shuffledFifty = [
  25, 23, 19, 11, 4, 45, 26, 9, 29, 16, 31, 21, 12, 3, 39, 38, 10, 24, 35, 0, 43, 18, 33, 48, 41, 30, 28, 20, 22, 42,
  46, 36, 32, 44, 13, 49, 47, 2, 27, 37, 5, 34, 6, 8, 14, 15, 17, 1, 7, 40,
]

test('getrandbits gives the words of the Mersenne Twister, also after the state was renewed', () => {
  const random = new PythonRandom(1234)
  const words = Array.from({ length: 6 }, () => random.bits(32))
  assert.deepEqual(words, [4150886329, 3342196574, 1892932127, 501869158, 32175636, 389311301])
  const late = new PythonRandom(5)
  const many = Array.from({ length: 2000 }, () => late.bits(32))
  assert.deepEqual(many.slice(-3), [2624240266, 2123333229, 2894893787])
})

test('a seed of more than 32 bits uses all of them', () => {
  const random = new PythonRandom(2 ** 40 + 7)
  assert.deepEqual(
    Array.from({ length: 6 }, () => random.below(1267)),
    [1256, 1168, 974, 513, 1260, 259],
  )
})

test('shuffle, then sample and random, go on from one another', () => {
  const random = new PythonRandom(42)
  const list = Array.from({ length: 50 }, (_, index) => index)
  random.shuffle(list)
  assert.deepEqual(list, shuffledFifty)
  assert.deepEqual(random.sample(100, 5), [68, 15, 48, 10, 70])
  assert.deepEqual(random.sample(15, 5), [4, 13, 10, 9, 5])
  assert.deepEqual(random.sample(1000, 9), [591, 196, 721, 71, 46, 677, 233, 791, 296])
  assert.equal(random.uniform(), 0.9852215206607577)
})

test('sample draws from a pool or by rejection where Python does', () => {
  const random = new PythonRandom(7)
  assert.deepEqual(random.sample(21, 3), [10, 4, 12])
  assert.deepEqual(random.sample(22, 3), [20, 1, 2])
  assert.deepEqual(random.sample(85, 6), [68, 12, 46, 74, 7, 64])
  assert.deepEqual(random.sample(86, 6), [27, 4, 11, 55, 53, 8])
  assert.deepEqual(random.sample(5, 5), [1, 0, 2, 4, 3])
  assert.throws(() => random.sample(3, 4), RangeError)
})

test('a legacy limit takes the rows that LLM-Pruner takes of the 1838 of PIQA', () => {
  const { order } = selectRows(1838, 'legacy', 10)
  assert.deepEqual(order, [717, 241, 568, 626, 1139, 296, 1255, 1834, 1752, 695])
  const whole = selectRows(1838, 'legacy').order
  assert.equal(
    whole.reduce((sum, row, index) => sum + row * index, 0),
    1541429768,
  )
})

test('a modern limit takes the first rows, and the examples of each row come from one generator seeded with 1234', () => {
  const { order, random } = selectRows(1838, 'modern', 3)
  assert.deepEqual(order, [0, 1, 2])
  assert.deepEqual(random.sample(2251, 5), [1805, 478, 30, 371, 143])
  assert.deepEqual(random.sample(2251, 5), [343, 403, 1452, 969, 71])
})
