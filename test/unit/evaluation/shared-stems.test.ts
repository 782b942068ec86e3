import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { layOut, scoringBatches } from '../../../engine/evaluation/batching.ts'
import { CausalScoring } from '../../../engine/evaluation/causal-scoring.ts'
import type { LikelihoodItem } from '../../../engine/evaluation/scoring-model.ts'
import { itemLength, shareStems, unitsOf } from '../../../engine/evaluation/shared-stems.ts'
import { Random } from '../../../engine/shared/random.ts'
import { assertWithin, openFixture, startBackend } from '../models/shared.ts'

before(startBackend)

const random = new Random(7)
const tokens = (count: number, most = 100) => Array.from({ length: count }, () => random.integer(most))

/** Items whose prefixes start with the same tokens, as questions do after solved examples. */
const after = (stem: readonly number[], count: number): LikelihoodItem[] =>
  Array.from({ length: count }, () => ({ prefix: [...stem, ...tokens(20)], suffixes: [tokens(2), tokens(3)] }))

/** Indices of the items of each stem. */
const groupsOf = (items: readonly LikelihoodItem[]) =>
  unitsOf(items)
    .filter(({ stem }) => stem > 0)
    .map(({ indices, stem }) => [stem, ...indices])

test('items share what their prefixes start with, wherever they stand', () => {
  const [one, other] = [tokens(300), tokens(200)]
  const first = after(one, 3)
  const second = after(other, 3)
  const lone = { prefix: tokens(90), suffixes: [tokens(2)] }
  const items = [first[0]!, second[0]!, lone, first[1]!, second[1]!, second[2]!, first[2]!]
  const shared = shareStems(items, 2048)
  assert.deepEqual(
    shared.map(({ prefix, suffixes }) => ({ prefix, suffixes })),
    items,
  )
  assert.deepEqual(groupsOf(shared), [
    [300, 0, 3, 6],
    [200, 1, 4, 5],
  ])
  const length = unitsOf(shared).reduce((sum, unit) => sum + unit.length, 0)
  const alone = items.reduce((sum, item) => sum + itemLength(item), 0)
  assert.equal(alone - length, 2 * 300 + 2 * 200)
})

test('a stem is not shared where it is short, nor by more items than a row is good for', () => {
  const short = shareStems(after(tokens(40), 5), 2048)
  assert.deepEqual(groupsOf(short), [])
  const many = after(tokens(300), 100)
  const limited = unitsOf(shareStems(many, 600))
  assert.ok(limited.every(({ length }) => length <= 600))
  assert.equal(limited.length, 9)
  // Longer rows than that would cost attention more than they save.
  const longest = Math.max(...unitsOf(shareStems(many, 1e6)).map(({ length }) => length))
  assert.ok(longest > 1000 && longest < 1200, `${longest} tokens`)
})

test('a group does not give up a long stem for a next item that shares less of it', () => {
  const stem = tokens(400)
  const other = { prefix: [...stem.slice(0, 150), 100, ...tokens(20)], suffixes: [tokens(2)] }
  const items = [...after(stem, 2), other]
  assert.deepEqual(groupsOf(shareStems(items, 2048)), [[400, 0, 1]])
})

test('what shares a stem stays together in a batch, within its tokens', () => {
  const items = shareStems([...after(tokens(300), 40), ...after(tokens(100), 9), ...after([], 30)], 2048)
  const batches = scoringBatches(items, (item) => item, 2048)
  assert.deepEqual(new Set(batches.flat()), new Set(items))
  const stems = batches.map((batch) => new Set(batch.flatMap(({ stem }) => stem ?? [])))
  assert.equal(
    stems.reduce((sum, each) => sum + each.size, 0),
    groupsOf(items).length,
  )
  for (const most of [2048, 1500, 1000])
    for (const batch of scoringBatches(shareStems(items, most), (item) => item, most)) {
      const { length, rows } = layOut(unitsOf(batch).map((unit) => unit.length))
      assert.ok(length * rows.length <= most, `${rows.length} rows of ${length} tokens`)
    }
})

for (const name of ['llama_gqa', 'mistral_window', 'gemma3_text', 'smollm3_nope'] as const)
  test(`${name}: items behind a stem that they share are scored as each is alone`, async () => {
    const { model } = openFixture(name)
    const scoring = new CausalScoring(model)
    const own = (count: number) => tokens(count, model.config.vocabularySize)
    const start = own(14)
    const stem = { tokens: start.length }
    const items: LikelihoodItem[] = [
      { prefix: [...start, ...own(3)], suffixes: [own(2), own(4)], stem },
      { prefix: own(6), suffixes: [own(3)] },
      // Nothing of its own before the choices.
      { prefix: [...start], suffixes: [own(1), own(3), own(2)], stem },
      { prefix: [...start, ...own(6)], suffixes: [own(2)], stem },
    ]
    const together = await scoring.greedyLikelihoods(items)
    for (const [index, { prefix, suffixes }] of items.entries())
      for (const [at, suffix] of suffixes.entries()) {
        const alone = await scoring.greedyLikelihoods([{ prefix, suffixes: [suffix] }])
        assertWithin(together.logLikelihoods[index]![at]!, alone.logLikelihoods[0]![0]!, 1e-4, `${index}, ${at}`)
        assert.deepEqual(together.likeliest[index]![at], alone.likeliest[0]![0])
      }
  })
