import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { z } from 'zod'
import { compareAnswers } from '../../../engine/contract/paired.ts'
import { evenlyOf } from '../../../engine/evaluation/classification.ts'
import { Tally } from '../../../engine/evaluation/tally.ts'

const rows = z.array(z.array(z.number()))
const scored = z.object({
  logits: rows,
  top1: z.number(),
  top5: z.number(),
  stderr: z.number(),
  confusion: rows,
  perClass: z.array(z.number()),
  logLikelihoods: z.array(z.number()),
})
/** What make_classification_fixture.py had scikit-learn and SciPy compute. */
const fixture = z
  .object({
    labels: z.array(z.number()),
    dense: scored,
    pruned: scored,
    paired: z.object({ rightToWrong: z.number(), wrongToRight: z.number(), p: z.number() }),
  })
  .parse(JSON.parse(readFileSync(join(import.meta.dirname, '../../fixtures/classification.json'), 'utf8')))

const classes = Array.from({ length: 8 }, (_, at) => `class ${at}`)
function tallied(logits: readonly (readonly number[])[]): Tally {
  const tally = new Tally(classes)
  for (const [at, label] of fixture.labels.entries())
    tally.add({ file: `${at}.png`, label }, label, Float32Array.from(logits[at]!))
  return tally
}
const near = (value: number | null, expected: number) =>
  assert.ok(Math.abs(value! - expected) < 1e-6, `${value} is not ${expected}`)

test('accuracies, classes, confusion and probabilities are those of scikit-learn', () => {
  for (const expected of [fixture.dense, fixture.pruned]) {
    const tally = tallied(expected.logits)
    const score = tally.score()
    near(score.top1, expected.top1)
    near(score.top5, expected.top5)
    near(score.stderr, expected.stderr)
    assert.deepEqual(score.confusion, expected.confusion)
    for (const [at, { acc }] of score.perClass.entries()) near(acc, expected.perClass[at]!)
    for (const [at, value] of tally.predictions.logLikelihoods.label.entries())
      near(value, expected.logLikelihoods[at]!)
  }
})

test("what changed between the two, and McNemar's exact test, are SciPy's", () => {
  const [dense, pruned] = [fixture.dense, fixture.pruned].map(({ logits }) => tallied(logits).score().answers!)
  const { rightToWrong, wrongToRight, p } = compareAnswers(dense!, pruned!)
  assert.deepEqual([rightToWrong, wrongToRight], [fixture.paired.rightToWrong, fixture.paired.wrongToRight])
  near(p, fixture.paired.p)
})

test('of equal logits the first class is the likeliest, and what is no number is refused', () => {
  const tally = new Tally(['a', 'b', 'c'])
  const image = { file: 'a.png', label: 1 }
  tally.add(image, 1, Float32Array.of(1, 1, 0))
  assert.deepEqual([tally.predictions.predicted, tally.predictions.ranks], [[0], [1]])
  assert.equal(tally.score().top1, 0)
  // Nothing is larger than a label's NaN: it would count as right.
  assert.throws(() => tally.add(image, 1, Float32Array.of(0, NaN, 0)), /logits of a\.png are not numbers/)
})

test('fewer images than there are come from all classes, which follow one another', () => {
  assert.deepEqual(evenlyOf(4), [0, 1, 2, 3])
  assert.deepEqual(evenlyOf(4, 9), [0, 1, 2, 3])
  assert.deepEqual(evenlyOf(9, 4), [0, 2, 4, 6])
})
