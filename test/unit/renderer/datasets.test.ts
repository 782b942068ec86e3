import assert from 'node:assert/strict'
import { test } from 'node:test'
import { barsOf, roundUp } from '../../../renderer/src/screens/datasets/histogram.ts'
import { groupTokens, visible } from '../../../renderer/src/screens/datasets/token-groups.ts'

test('an axis ends at 1, 2 or 5 times a power of ten', () => {
  assert.deepEqual([0, 1, 3, 10, 11, 51, 999].map(roundUp), [1, 1, 5, 10, 20, 100, 1000])
})

test('a bar covers the lengths from its own up to the next one', () => {
  const bars = barsOf({ counts: [3, 0, 1], binWidth: 8 })
  assert.deepEqual(bars.at(-1), { from: 16, to: 24, count: 1 })
})

const token = (id: number, target: boolean) => ({ id, text: `t${id}`, target })

test('neighbouring tokens of one sort are read together', () => {
  const groups = groupTokens([token(1, false), token(2, false), token(3, true), token(4, false)])
  assert.deepEqual(
    groups.map(({ target, tokens }) => [target, tokens.length]),
    [
      [false, 2],
      [true, 1],
      [false, 1],
    ],
  )
  assert.deepEqual(groupTokens([]), [])
})

test('line ends show and still end the line', () => {
  assert.equal(visible('a\r\nb\n'), 'a↵\nb↵\n')
})
