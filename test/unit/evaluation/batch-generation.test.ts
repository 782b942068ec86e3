import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { batchedPrompts, rowsAtOnce } from '../../../engine/evaluation/batched-prompts.ts'
import { generate, generateBatch } from '../../../engine/evaluation/generation.ts'
import { KeyValueCache } from '../../../engine/evaluation/key-value-cache.ts'
import { pick } from '../../../engine/evaluation/pick.ts'
import { Random } from '../../../engine/shared/random.ts'
import { tf } from '../../../engine/tensor/tf.ts'
import { assertWithin, openFixture, startBackend } from '../models/shared.ts'

before(startBackend)

/** Grouped queries, a window, layers of different sizes and what else blocks do with positions. */
const families = [
  'llama_gqa',
  'mistral_window',
  'secateur_ragged',
  'gemma3_text',
  'phi3_fused',
  'smollm3_nope',
] as const

for (const name of families)
  test(`${name}: prompts of different lengths give together the logits that each gives alone`, () => {
    const { model, fixture } = openFixture(name)
    const ids = fixture.ids[0]!
    const prompts = [ids.slice(0, 3), ids.slice(2, 9), ids.slice(0, 1)]
    const width = 8
    const size = model.config.vocabularySize
    const together = new KeyValueCache(model, width + 4, {})
    const alone = prompts.map((prompt) => new KeyValueCache(model, prompt.length + 4, {}))
    const tensors = tf.memory().numTensors
    const wanted = (step: (cache: KeyValueCache, row: number) => Float32Array) =>
      Float32Array.from(alone.flatMap((cache, row) => [...step(cache, row)]))
    assertWithin(
      together.prompt(prompts, width),
      wanted((cache, row) => cache.prompt([prompts[row]!], prompts[row]!.length)),
      1e-4,
      'after the prompts',
    )
    for (const next of [
      [4, 5, 6],
      [7, 8, 9],
    ]) {
      const found = together.next(next)
      assert.equal(found.length, 3 * size)
      assertWithin(
        found,
        wanted((cache, row) => cache.next([next[row]!])),
        1e-4,
        'after more tokens',
      )
    }
    for (const cache of [together, ...alone]) cache.dispose()
    assert.equal(tf.memory().numTensors, tensors)
  })

test('a batch writes what each prompt gives alone: likeliest tokens, draws, stops and limits', async () => {
  const { model, fixture } = openFixture('llama_gqa')
  const prompts = [3, 9, 5].map((length, row) => fixture.ids[row % 2]!.slice(0, length))
  for (const temperature of [0, 1.5]) {
    const all = { tokens: 6, temperature, topP: 0.9 }
    const alone = async (stop: readonly number[]) =>
      await Promise.all(
        prompts.map(
          async (prompt, row) => (await generate(model, prompt, { ...all, stop, random: new Random(row) })).ids,
        ),
      )
    const batch = async (stop: readonly number[]) =>
      await generateBatch(
        model,
        prompts.map((ids, row) => ({ ids, random: new Random(row) })),
        { ...all, stop },
      )
    const free = await alone([])
    assert.deepEqual(
      (await batch([])).map(({ ids }) => ids),
      free,
    )
    const stop = [free[0]![2]!]
    const stopped = await batch(stop)
    assert.deepEqual(
      stopped.map(({ ids }) => ids),
      await alone(stop),
    )
    assert.equal(stopped[0]!.stopped, true)
  }
})

test('tokens are picked as from a sorted list of all of them', () => {
  const random = new Random(5)
  const scores = Float32Array.from({ length: 300 }, () => Math.round(20 * random.normal()) / 8)
  for (const settings of [
    { temperature: 0.8, topP: 0.95 },
    { temperature: 1, topP: 1 },
    { temperature: 2, topP: 0.5, topK: 7 },
    { temperature: 0.1, topP: 0.01 },
  ])
    for (let seed = 0; seed < 50; seed++)
      assert.equal(pick(scores, { ...settings, random: new Random(seed) }), picked(scores, { ...settings, seed }))
})

/** Holtzman's nucleus, written down plainly. */
function picked(
  scores: Float32Array,
  { temperature, topP, topK, seed }: { temperature: number; topP: number; topK?: number; seed: number },
): number {
  const best = Math.max(...scores)
  const weights = Array.from(scores, (score, id) => ({ id, weight: Math.exp((score - best) / temperature) }))
  weights.sort((one, other) => other.weight - one.weight || one.id - other.id)
  if (topK) weights.splice(topK)
  const total = weights.reduce((sum, { weight }) => sum + weight, 0)
  let [size, nucleus] = [0, 0]
  while (size < weights.length && nucleus < topP * total) nucleus += weights[size++]!.weight
  let point = new Random(seed).uniform() * nucleus
  return weights.slice(0, size).find(({ weight }) => (point -= weight) < 0)!.id
}

test('batches hold prompts of similar lengths, as many as keys and values leave room for', () => {
  const { model } = openFixture('llama_gqa')
  const config = { ...model.config, maxPositions: 5000 }
  const perPlace = config.layers.reduce((sum, { keyValueHeads }) => sum + 2 * keyValueHeads * config.headSize, 0)
  assert.equal(rowsAtOnce(config, 32, 10), 16)
  assert.equal(rowsAtOnce(config, 2 ** 28 / perPlace, 10), 1)
  const lengths = [700, 3, 9000, 40, 2]
  const { batches, tooLong } = batchedPrompts(lengths, (length) => length, config, 10)
  assert.deepEqual(batches, [[2, 3, 40, 700]])
  assert.equal(tooLong, 1)
})
