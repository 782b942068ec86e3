import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pick } from '../../../engine/evaluation/pick.ts'
import { Random } from '../../../engine/shared/random.ts'

/** Logits of tokens with the probabilities 0.2, 0.4, 0.1 and 0.3. */
const scores = Float32Array.from([0.2, 0.4, 0.1, 0.3], Math.log)

/** The tokens that 200 draws give. */
function drawn(settings: { topK?: number; topP?: number; temperature?: number }): number[] {
  const all = { tokens: 1, temperature: 1, topP: 1, random: new Random(3), stop: [], ...settings }
  return [...new Set(Array.from({ length: 200 }, () => pick(scores, all)))].sort()
}

test('top-k leaves so many of the likeliest tokens, and all of them where it is 0', () => {
  assert.deepEqual(drawn({ topK: 1 }), [1])
  assert.deepEqual(drawn({ topK: 2 }), [1, 3])
  assert.deepEqual(drawn({ topK: 3 }), [0, 1, 3])
  assert.deepEqual(drawn({ topK: 50 }), [0, 1, 2, 3])
  assert.deepEqual(drawn({ topK: 0 }), drawn({}))
})

test('top-p is a share of what top-k leaves, as in transformers', () => {
  assert.deepEqual(drawn({ topP: 0.5 }), [1, 3])
  // Of two tokens the likelier one has 4 of 7.
  assert.deepEqual(drawn({ topP: 0.5, topK: 2 }), [1])
})

test('logits that are no numbers, or one alone that is large, end in a token all the same', () => {
  for (const bad of [
    [NaN, NaN],
    [NaN, 1],
    [1, NaN, -Infinity],
    [-Infinity, -Infinity],
    [1e30, 0, 1],
  ])
    for (const settings of [{}, { topP: 0.9 }, { topK: 2 }, { topK: 2, topP: 0.5 }]) {
      const random = new Random(1)
      const id = pick(Float32Array.from(bad), { temperature: 1, topP: 1, ...settings, random })
      assert.ok(id >= 0 && id < bad.length, `${bad}: ${id}`)
    }
})
