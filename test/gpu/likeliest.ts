// What a graphics card promises of the likeliest tokens. Run by test/gpu/swiftshader.test.ts and `npm run test:gpu`.
import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { likeliestLayout, readLikeliest, sumWithin } from '../../engine/backends/likeliest.ts'
import { currentCard } from '../../engine/backends/webgpu/measure.ts'
import { randomModel } from '../../engine/bench/random-model.ts'
import { plainConfig } from '../../engine/bench/shapes.ts'
import { generate, generateBatch } from '../../engine/evaluation/generation.ts'
import { KeyValueCache } from '../../engine/evaluation/key-value-cache.ts'
import { pick } from '../../engine/evaluation/pick.ts'
import type { Sampling } from '../../engine/evaluation/sampling.ts'
import { disposeModel } from '../../engine/models/load.ts'
import { likeliest } from '../../engine/ops/likeliest.ts'
import { Random } from '../../engine/shared/random.ts'
import { tf } from '../../engine/tensor/tf.ts'
import { startBackend } from '../unit/models/shared.ts'

before(startBackend)

/** What the card finds of each row. */
function found(rows: readonly Float32Array[], temperature: number) {
  const size = rows[0]!.length
  const logits = tf.tensor2d(Float32Array.from(rows.flatMap((row) => [...row])), [rows.length, size])
  const facts = likeliest(logits, temperature)
  const bytes = Int32Array.from(facts.dataSync()).buffer
  tf.dispose([logits, facts])
  const words = bytes.byteLength / 4 / rows.length
  return rows.map((_, row) => readLikeliest(new Float32Array(bytes, 4 * words * row, words)))
}

const normal = (size: number, seed: number, scale = 2) => {
  const random = new Random(seed)
  // A multiple of 1/32: many are equal.
  return Float32Array.from({ length: size }, () => Math.round(32 * scale * random.normal()) / 32)
}
const bestOf = (scores: Float32Array) => scores.reduce((best, score, id) => (score > scores[best]! ? id : best), 0)

for (const size of [8192, 8200, 32_003])
  test(`of ${size} scores those at the top are listed, with the best, its first id, and the sum over all`, () => {
    const rows = [normal(size, 1), normal(size, 2), normal(size, 3).map((score) => score - 40)]
    // Zeros of both signs are equal: the first one is the best.
    rows.push(normal(size, 4).map((score, id) => (id === 77 ? -0 : id === 99 ? 0 : -1 - Math.abs(score))))
    for (const temperature of [0, 0.7, 1.5])
      for (const [i, each] of found(rows, temperature).entries()) {
        const scores = rows[i]!
        assert.ok(each)
        assert.equal(each.best, bestOf(scores))
        if (temperature === 0) continue
        const listed = Array.from(each.ids).toSorted((one, other) => one - other)
        const wanted = Array.from(scores.keys()).filter((id) => scores[id]! >= each.bound)
        assert.deepEqual(listed, wanted)
        assert.ok(listed.length >= likeliestLayout.least)
        for (const [at, id] of each.ids.entries()) assert.equal(each.scores[at], scores[id])
        const top = scores[each.best]!
        const sum = scores.reduce((all, score) => all + Math.exp((score - top) / temperature), 0)
        assert.ok(Math.abs(each.sum / sum - 1) < sumWithin / 20, `${each.sum} for ${sum}`)
      }
  })

test('a row is not ranked where a score is not finite, or too many are alike', () => {
  const size = 8192
  const odd = [Number.NaN, Infinity, -Infinity].map((score, i) => normal(size, i).fill(score, 5000, 5001))
  assert.deepEqual(found([...odd, new Float32Array(size).fill(3)], 1), [null, null, null, null])
  const [first, , , flat] = found([...odd, new Float32Array(size).fill(3)], 0)
  assert.deepEqual([first, flat?.best], [null, 0])
})

test('text has the tokens that all logits would give it, and a card reads a hundredth of them', async () => {
  const config = plainConfig({
    vocabularySize: 8200,
    hiddenSize: 16,
    headSize: 8,
    layers: [{ heads: 2, keyValueHeads: 1, channels: 16 }],
    tiedEmbeddings: false,
  })
  const model = randomModel(config, false)
  const prompt = [1, 2, 3]
  const tokens = 4
  const byAll = (sampling: Sampling, seed: number) => {
    const cache = new KeyValueCache(model, prompt.length + tokens, {})
    const random = new Random(seed)
    const ids: number[] = []
    let scores = cache.prompt([prompt], prompt.length)
    for (;;) {
      ids.push(pick(scores, { ...sampling, random }))
      if (ids.length === tokens) break
      scores = cache.next([ids.at(-1)!])
    }
    cache.dispose()
    return ids
  }
  const card = currentCard()!
  const { numTensors } = tf.memory()
  const tried: Sampling[] = [
    { temperature: 0, topP: 1 },
    { temperature: 0.01, topP: 0.6 },
    { temperature: 0.05, topP: 1, topK: 40 },
    // Nearly all tokens are as likely: all logits are read.
    { temperature: 5, topP: 0.99 },
  ]
  for (const [i, sampling] of tried.entries()) {
    const wanted = byAll(sampling, i)
    const { bytesRead } = card
    const heard: number[] = []
    const { ids } = await generate(model, prompt, {
      ...sampling,
      tokens,
      stop: [],
      random: new Random(i),
      onToken: (id, scores) => void (sampling.temperature === 0 && heard.push(id, bestOf(scores()))),
    })
    assert.deepEqual(ids, wanted)
    const perToken = (card.bytesRead - bytesRead - 4 * config.vocabularySize) / (tokens - 1)
    if (sampling.temperature === 0)
      assert.deepEqual(
        heard,
        wanted.flatMap((id) => [id, id]),
      )
    else if (sampling.temperature < 1) assert.ok(perToken < 10_000, `${perToken} bytes a token`)
    else assert.ok(perToken > 4 * config.vocabularySize, `${perToken} bytes a token`)
    if (i !== 1) continue
    const rows = await generateBatch(
      model,
      [0, 1].map((row) => ({ ids: prompt, random: new Random(row === 0 ? i : 9) })),
      { ...sampling, tokens, stop: [] },
    )
    assert.deepEqual(rows[0]!.ids, wanted)
  }
  assert.equal(tf.memory().numTensors, numTensors)
  disposeModel(model)
})
