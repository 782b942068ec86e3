import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rowsLost } from '../../../renderer/src/rows-lost.ts'

const counts = (changes: object = {}) => ({
  rows: 10,
  documents: 10,
  blank: 0,
  unanswered: 0,
  cut: 0,
  dropped: 0,
  skipped: 0,
  needed: 40,
  longest: 90,
  ...changes,
})

test('rows that are lost are said with the reason and the length that would lose none', () => {
  const whole = rowsLost(counts(), 256)
  assert.deepEqual(whole, { learnt: '10 of 10', reasons: [], remedies: [], isLoss: false })
  const lost = rowsLost(
    counts({ documents: 3, blank: 3, unanswered: 2, cut: 4, dropped: 3, skipped: 1, needed: 400, longest: 2900 }),
    256,
  )
  assert.equal(lost.learnt, '3 of 10')
  assert.deepEqual(lost.reasons, [
    '3 are left out: longer than 256 tokens, with no answer left to learn.',
    '1 is cut at 256 tokens.',
    '2 have no answer to learn.',
    '1 is blank.',
    '1 cannot be read and is skipped.',
  ])
  assert.deepEqual(lost.remedies, [
    { length: 400, effect: 'would leave out none' },
    { length: 2900, effect: 'would cut none' },
  ])
  assert.equal(lost.isLoss, true)
})

test('blank lines of a text are told, and are no loss', () => {
  const text = rowsLost(counts({ documents: 7, blank: 3 }), null)
  assert.deepEqual([text.reasons, text.remedies, text.isLoss], [['3 are blank.'], [], false])
})
