import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ago,
  baseName,
  bytes,
  count,
  counted,
  decimals,
  duration,
  elapsed,
  folderName,
  none,
  number,
  parameters,
  percent,
  score,
  timeLeft,
} from '../../../renderer/src/format.ts'

// The locale of the tests' computer decides on separators: only digits and units are held to.
const digits = (text: string) => text.replaceAll(/(?<=\d)[\s.,’']+(?=\d)/g, '_')

test('sizes are shown in decimal units with three digits', () => {
  assert.equal(bytes(0), '0 B')
  assert.equal(bytes(999), '999 B')
  assert.equal(bytes(1000), '1 kB')
  assert.equal(digits(bytes(13_476_000_000)), '13_5 GB')
  assert.equal(bytes(999_600), '1 MB')
  assert.equal(bytes(null), none)
})

test('durations show their two largest units', () => {
  assert.equal(duration(0.32), '320 ms')
  assert.equal(duration(45), '45 s')
  assert.equal(duration(59.9), '1 min 0 s')
  assert.equal(duration(7500), '2 h 5 min')
  assert.equal(duration(90_000), '1 d 1 h')
  assert.equal(duration(Infinity), none)
})

test('parameters have the letters of the field, and times along an axis are those of a clock', () => {
  assert.deepEqual(
    [512, 207_232, 999_900, 1_205_280, 110e6].map((value) => digits(parameters(value))),
    ['512', '207K', '1M', '1_21M', '110M'],
  )
  assert.deepEqual([5, 70, 3600, 7290.4].map(elapsed), ['0:05', '1:10', '1:00:00', '2:01:30'])
})

test('what is below zero has a minus, and what rounds to zero none', () => {
  assert.deepEqual(
    [-0.69, -0.001, 0].map((value) => digits(decimals(value, 2))),
    ['−0_69', '0_00', '0_00'],
  )
})

test('time left is rounded as an estimate deserves', () => {
  assert.equal(timeLeft(3), 'a few seconds left')
  assert.equal(timeLeft(42), 'about 45 s left')
  assert.equal(timeLeft(290), 'about 5 min left')
  assert.equal(timeLeft(7330), 'about 2 h 0 min left')
  assert.equal(timeLeft(null), '')
})

test('numbers keep what can be read of them', () => {
  assert.equal(digits(count(1_234_567)), '1_234_567')
  assert.equal(counted(1, 'file'), '1 file')
  assert.equal(counted(3, 'file'), '3 files')
  assert.match(number(0.000123), /^1[.,]23E-4$/)
  assert.match(number(2.718281828), /^2[.,]718$/)
  assert.equal(number(NaN), none)
  assert.match(parameters(6_738_415_616), /^6[.,]74/)
  assert.match(percent(0.25), /^25\s?%$/)
})

test('a score carries its standard error in points', () => {
  assert.match(score(0.6123, 0.0141), /^61[.,]2\s?% ± 1[.,]4$/)
  assert.doesNotMatch(score(0.6123, null), /±/)
})

test('past times are told by their distance, and by date where that is long', () => {
  const now = Date.UTC(2026, 5, 15)
  assert.equal(ago(now - 10_000, now), 'just now')
  assert.match(ago(now - 90 * 86_400_000, now), /2026/)
})

test('the name of a path is its last part, on any system', () => {
  assert.equal(baseName('/models/llama/'), 'llama')
  assert.equal(baseName('C:\\models\\llama'), 'llama')
  assert.equal(baseName('/'), '/')
  assert.equal(folderName('/models/llama/'), 'models')
  assert.equal(folderName('C:\\models\\llama'), 'models')
  assert.equal(folderName('/llama'), '')
})
