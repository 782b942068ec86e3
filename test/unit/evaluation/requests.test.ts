import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../../../engine/shared/random.ts'
import type { Tokenizer } from '../../../engine/tokenizer/tokenizer-type.ts'
import { layOut, scoringBatches } from '../../../engine/evaluation/batching.ts'
import { itemLength } from '../../../engine/evaluation/shared-stems.ts'
import { pairEncoder, planRow } from '../../../engine/evaluation/requests.ts'

/** One id a character (its code), but "ab" is the one id 900; 1 starts and 2 ends a text. */
const characters = (bosId: number | null = 1, eosId: number | null = 2): Tokenizer => ({
  vocabularySize: 1000,
  bosId,
  eosId,
  padId: null,
  bosToken: '<s>',
  eosToken: '</s>',
  encode(text, { specialTokens = true } = {}) {
    const ids = [...text.replaceAll('ab', '\u0384')].map((character) => character.codePointAt(0)!)
    return specialTokens && bosId !== null ? [bosId, ...ids] : ids
  },
  decode: () => '',
  token: () => '',
  chat: () => null,
})

const codes = (text: string) => [...text].map((character) => character.codePointAt(0)!)

test('blanks at the end of a context go to the continuation in modern mode only', () => {
  const modern = pairEncoder(characters(), 'modern')('x \n\t', ' y')
  assert.deepEqual(modern, { context: [1, ...codes('x')], continuation: codes(' \n\t y') })
  const legacy = pairEncoder(characters(), 'legacy')('x ', ' y')
  assert.deepEqual(legacy, { context: codes('x '), continuation: codes(' y') })
})

test('a token across the boundary is cut by count in modern mode and cannot arise in legacy mode', () => {
  // Joint ids: BOS, 900 (ab), c; the context alone is BOS, a.
  assert.deepEqual(pairEncoder(characters(), 'modern')('a', 'bc'), { context: [1, 97], continuation: codes('c') })
  assert.deepEqual(pairEncoder(characters(), 'legacy')('a', 'bc'), { context: [97], continuation: codes('bc') })
})

test('an empty context is the token that starts a text, or in legacy mode the one that ends it', () => {
  assert.deepEqual(pairEncoder(characters(), 'modern')('', 'x').context, [1])
  assert.deepEqual(pairEncoder(characters(null), 'modern')('', 'x').context, [2])
  assert.deepEqual(pairEncoder(characters(), 'legacy')('', 'x').context, [2])
  assert.deepEqual(pairEncoder(characters(120), 'modern')('', 'xx'), { context: [120], continuation: codes('x') })
  assert.throws(() => pairEncoder(characters(null, null), 'modern')('', 'x'), /neither a token that starts/)
})

test('choices after one context share it', () => {
  const plan = planRow(
    [
      { context: [1, 5, 6], continuation: [7] },
      { context: [1, 5, 6], continuation: [7, 8] },
    ],
    100,
    'row',
  )
  assert.deepEqual(plan, [
    {
      item: { prefix: [1, 5, 6], suffixes: [[7], [7, 8]] },
      parts: [
        { choice: 0, scored: 1, cut: false },
        { choice: 1, scored: 2, cut: false },
      ],
    },
  ])
})

test('contexts that end differently share their beginning, and only the continuation counts', () => {
  const plan = planRow(
    [
      { context: [1, 5, 6], continuation: [9, 9] },
      { context: [1, 5, 7, 8], continuation: [9, 9] },
    ],
    100,
    'row',
  )
  assert.equal(plan.length, 1)
  assert.deepEqual(plan[0]!.item, {
    prefix: [1, 5],
    suffixes: [
      [6, 9, 9],
      [7, 8, 9, 9],
    ],
  })
  assert.deepEqual(
    plan[0]!.parts.map(({ scored }) => scored),
    [2, 2],
  )
})

test('a context that is the start of the other leaves a prefix of its length', () => {
  const [shared] = planRow(
    [
      { context: [1, 5], continuation: [9] },
      { context: [1, 5, 7], continuation: [9] },
    ],
    100,
    'row',
  )
  assert.deepEqual(shared!.item, { prefix: [1, 5], suffixes: [[9], [7, 9]] })
})

test('contexts without a common first token are computed apart', () => {
  const plan = planRow(
    [
      { context: [5], continuation: [9] },
      { context: [6], continuation: [9] },
    ],
    100,
    'row',
  )
  assert.deepEqual(
    plan.map(({ item }) => item),
    [
      { prefix: [5], suffixes: [[9]] },
      { prefix: [6], suffixes: [[9]] },
    ],
  )
})

test('long rows lose tokens from the left, so that the last token is predicted at the last position', () => {
  const context = [1, 2, 3, 4, 5, 6]
  const plan = planRow(
    [
      { context, continuation: [7, 8] },
      { context, continuation: [7] },
      { context, continuation: [9] },
    ],
    5,
    'row',
  )
  // Six tokens fit five positions. The second and third choice lose one token of the context, the first one two.
  assert.deepEqual(
    plan.map(({ item }) => item),
    [
      { prefix: [3, 4, 5, 6], suffixes: [[7, 8]] },
      { prefix: [2, 3, 4, 5, 6], suffixes: [[7], [9]] },
    ],
  )
  const [one] = planRow([{ context, continuation: [1, 2, 3, 4, 5] }], 5, 'row')
  assert.deepEqual(one!.item, { prefix: [6], suffixes: [[1, 2, 3, 4, 5]] })
})

test('a choice longer than the model is scored on its last tokens, after the token before them', () => {
  const [plan] = planRow([{ context: [1, 2], continuation: [3, 4, 5, 6] }], 2, 'row')
  assert.deepEqual(plan, {
    item: { prefix: [4], suffixes: [[5, 6]] },
    parts: [{ choice: 0, scored: 2, cut: true }],
  })
})

test('a choice that cannot be scored is named', () => {
  const good = { context: [1], continuation: [2] }
  assert.throws(
    () => planRow([good, { context: [1], continuation: [] }], 5, 'piqa, row 3'),
    /piqa, row 3, choice 1: has no/,
  )
})

const item = (prefix: number, ...suffixes: number[]) => ({
  prefix: Array.from({ length: prefix }, () => 1),
  suffixes: suffixes.map((length) => Array.from({ length }, () => 1)),
})

test('batches take similar lengths together, within the budget after padding', () => {
  // In a row: 12, 54, 10, 202 and 54 tokens.
  const items = [item(10, 2, 2), item(50, 5), item(9, 2, 1), item(200, 3), item(48, 4, 4)]
  const prefixes = (tokens: number) =>
    scoringBatches(items, (entry) => entry, tokens).map((batch) => batch.map(({ prefix }) => prefix.length))
  assert.deepEqual(prefixes(108), [[200], [50, 48], [10, 9]])
  // What is left of a row goes to the longest that fits into it.
  assert.deepEqual(prefixes(107), [[200], [50, 10, 9], [48]])
  assert.equal(prefixes(1).length, 5)
  // Rows of 256 tokens, of which eight are room enough for all.
  assert.deepEqual(prefixes(2048), [[200, 50, 48, 10, 9]])
})

test('short items share rows where that saves padding, and lie as their batch counted them', () => {
  assert.deepEqual(layOut([12, 54, 10, 202, 54]), {
    length: 224,
    rows: [
      [3, 0, 2],
      [1, 4],
    ],
  })
  assert.deepEqual(layOut([20, 20, 300]), { length: 320, rows: [[2, 0], [1]] })
  assert.deepEqual(layOut([20, 20]), { length: 32, rows: [[0], [1]] })
  assert.deepEqual(layOut([90, 90, 90]), { length: 96, rows: [[0], [1], [2]] })
  const windows = { length: 128, rows: [[0], [1], [2], [3]] }
  assert.deepEqual(layOut([128, 128, 128, 128]), windows, 'windows of one length stay in rows of their own')
  const random = new Random(3)
  const items = Array.from({ length: 500 }, () => item(1 + random.integer(400), 1 + random.integer(20)))
  const batches = scoringBatches(items, (entry) => entry, 2048)
  assert.deepEqual(new Set(batches.flat()), new Set(items))
  for (const batch of batches) {
    const { length, rows } = layOut(batch.map(itemLength))
    assert.ok(rows.length * length <= 2048, `${rows.length} rows of ${length} tokens`)
  }
  const padded = batches.reduce((sum, batch) => {
    const { length, rows } = layOut(batch.map(itemLength))
    return sum + length * rows.length
  }, 0)
  const tokens = items.reduce((sum, one) => sum + itemLength(one), 0)
  assert.ok(padded < 1.1 * tokens, `${padded} tokens are computed for ${tokens}`)
})
