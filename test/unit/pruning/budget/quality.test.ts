import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fitQuality } from '../../../../engine/pruning/budget/quality.ts'
import { Random } from '../../../../engine/shared/random.ts'

/** A run whose loss follows a law, with noise. */
function pointsOf(law: (lost: number) => number, noise: number, count = 12) {
  const random = new Random(1)
  return Array.from({ length: count }, (_, i) => {
    const step = 10 * (i + 1)
    const lost = 0.4 * (1 - (1 - i / (count - 1)) ** 3)
    return { step, lost, loss: 2 + law(lost) - 0.1 * Math.log1p(step) + noise * random.normal() }
  })
}

test('what removal costs is told from what training wins, and the error says how well', () => {
  for (const law of [(lost: number) => lost, (lost: number) => 3 * lost ** 2, (lost: number) => 9 * lost ** 3]) {
    const exact = fitQuality(pointsOf(law, 0), 'validation')
    assert.ok(typeof exact !== 'string')
    const { rise, error, isBeyond } = exact.rise(0.3)
    assert.ok(Math.abs(rise - law(0.3)) < 1e-6 && error < 1e-6 && !isBeyond)
    assert.ok(exact.rise(0.5).isBeyond)
    assert.match(exact.detail, /12 points of the validation loss of this run, up to 40%/)
    const noisy = fitQuality(pointsOf(law, 0.02), 'training')
    assert.ok(typeof noisy !== 'string')
    const told = noisy.rise(0.3)
    assert.ok(Math.abs(told.rise - law(0.3)) < 4 * told.error && told.error > 0.005)
  }
})

test('says why nothing can be told', () => {
  assert.match(
    fitQuality(
      pointsOf((lost) => lost, 0, 4),
      'validation',
    ) as string,
    /measured the validation loss 4 times, .* 5 of each are needed/,
  )
  const still = pointsOf((lost) => lost, 0).map((point) => ({ ...point, lost: 0.1 }))
  assert.match(fitQuality(still, 'training') as string, /at 1 share of the importance lost/)
  assert.match(
    fitQuality(
      pointsOf((lost) => -lost, 0),
      'training',
    ) as string,
    /did not rise/,
  )
})
