import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compareAnswers } from '../../../engine/contract/paired.ts'

const rows = ([both, lost, won, neither]: readonly [number, number, number, number]) => ({
  before: '1'.repeat(both + lost) + '0'.repeat(won + neither),
  after: '1'.repeat(both) + '0'.repeat(lost) + '1'.repeat(won) + '0'.repeat(neither),
})

// Both right, lost, won, neither: p of scipy.stats.binomtest, mean and standard error of numpy's differences.
for (const [counts, p, difference, stderr] of [
  [[5, 0, 0, 5], 1, 0, 0],
  [[10, 3, 1, 6], 0.625, -0.1, 0.09999999999999998],
  [[100, 12, 30, 58], 0.007915897334896727, 0.09, 0.0318523604199376],
  [[2000, 500, 420, 1000], 0.00916276387523132, -0.02040816326530612, 0.0077317455244663305],
  [[0, 1, 0, 0], 1, -1, null],
  [[4, 0, 6, 0], 0.03125, 0.6, 0.16329931618554522],
] as const)
  test(`what changed on rows: ${counts.join(', ')}`, () => {
    const { before, after } = rows(counts)
    const found = compareAnswers(before, after)
    assert.deepEqual([found.n, found.rightToWrong, found.wrongToRight], [before.length, counts[1], counts[2]])
    assert.ok(Math.abs(found.p - p) < 1e-10, `p is ${found.p}`)
    assert.ok(Math.abs(found.difference - difference) < 1e-12)
    if (stderr === null) assert.equal(found.stderr, null)
    else assert.ok(Math.abs(found.stderr! - stderr) < 1e-12)
  })

test('many flips do not underflow', () => {
  const { before, after } = rows([0, 5000, 4900, 0])
  // scipy.stats.binomtest(4900, 9900, 0.5).pvalue
  assert.ok(Math.abs(compareAnswers(before, after).p - 0.31974241576397044) < 1e-9)
})

test('other rows are not compared', () => {
  assert.throws(() => compareAnswers('101', '10'), /3 rows cannot be compared with 2/)
})
