import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Likeliest, likeliestLayout, readLikeliest, sumWithin } from '../../../engine/backends/likeliest.ts'
import { pick, pickNext } from '../../../engine/evaluation/pick.ts'
import { Random } from '../../../engine/shared/random.ts'

/** What a card finds of scores. */
function found(scores: Float32Array, temperature: number): Likeliest {
  const order = Array.from(scores.keys()).toSorted((one, other) => scores[other]! - scores[one]! || one - other)
  const bound = scores[order[likeliestLayout.least - 1]!]!
  const ids = Uint32Array.from(order.filter((id) => scores[id]! >= bound).toReversed())
  const sum = scores.reduce((all, score) => all + Math.exp((score - scores[order[0]!]!) / temperature), 0)
  return { best: order[0]!, ids, scores: Float32Array.from(ids, (id) => scores[id]!), bound, sum }
}

test('a token picked among the likeliest is the one picked by all scores, and few draws need all of them', () => {
  const random = new Random(7)
  let [draws, looks] = [0, 0]
  for (const spread of [3, 1])
    for (const settings of [
      { temperature: 0, topP: 1 },
      { temperature: 0.8, topP: 0.95 },
      { temperature: 1, topP: 0.5 },
      { temperature: 1, topP: 1, topK: 50 },
      { temperature: 1.3, topP: 0.9, topK: 40 },
      { temperature: 0.7, topP: 1 },
      // More than are found.
      { temperature: 1, topP: 1, topK: 1000 },
    ]) {
      // Rounded, so that many are equal, as those of 16-bit weights are.
      const scores = Float32Array.from({ length: 9000 }, () => Math.round(40 * spread * random.normal()) / 40)
      const exact = found(scores, settings.temperature || 1)
      for (let seed = 0; seed < 20; seed++) {
        const likeliest = { ...exact, sum: exact.sum * (1 + 0.9 * sumWithin * ((seed % 3) - 1)) }
        let looked = 0
        const all = () => {
          looked = 1
          return scores
        }
        const id = pickNext({ likeliest, all }, { ...settings, random: new Random(seed) })
        assert.equal(id, pick(scores, { ...settings, random: new Random(seed) }), JSON.stringify({ settings, seed }))
        if (spread === 1 || settings.topK === 1000) continue
        draws++
        looks += looked
      }
    }
  assert.ok(looks < draws / 5, `${looks} of ${draws} draws looked at all scores`)
})

test('weights that round to that of what is not listed are left to all scores', () => {
  const scores = Float32Array.from({ length: 8192 }, (_, id) => id / 8192)
  // At this temperature every weight is 1: the first ids are ranked first, and none of them is listed.
  const settings = { temperature: 1e18, topP: 1, topK: 3 }
  const likeliest = found(scores, settings.temperature)
  for (let seed = 0; seed < 5; seed++) {
    const id = pickNext({ likeliest, all: () => scores }, { ...settings, random: new Random(seed) })
    assert.equal(id, pick(scores, { ...settings, random: new Random(seed) }))
    assert.ok(id < 3)
  }
})

test('a row whose scores are not finite, or of which too many are alike, is not read', () => {
  const { broken, found: count, best, words, most } = likeliestLayout
  const row = new Float32Array(words)
  const facts = new Uint32Array(row.buffer)
  facts.set([12], best)
  assert.equal(readLikeliest(row)?.best, 12)
  facts.set([most + 1], count)
  assert.equal(readLikeliest(row), null)
  facts.set([most], count)
  assert.equal(readLikeliest(row)?.ids.length, most)
  facts.set([1], broken)
  assert.equal(readLikeliest(row), null)
})
