import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Command } from 'commander'
import { saidAsFlag } from '../../../engine/entries/command-line/said-as-flag.ts'
import { badFile, badSetting, errorOf, failureOf, refuseIfAny, SecateurError } from '../../../engine/shared/errors.ts'

const command = new Command('eval').argument('<checkpoint>').option('--images <path>').option('--few-shot <n>')

const messageOf = (work: () => void) => {
  try {
    work()
  } catch (error) {
    return (saidAsFlag(error, command) as Error).message
  }
  return null
}

test('of several problems each that is about a setting names the flag', () => {
  const errors = [
    badSetting('evaluation.fewShot', 'is too large'),
    badFile('rows.jsonl', 'line 3', 'is no object'),
    badSetting('checkpoint', 'is a language model'),
    badSetting('seed', 'has no flag here'),
  ]
  assert.equal(
    messageOf(() => refuseIfAny(errors)),
    '--few-shot: is too large\nrows.jsonl: line 3: is no object\n<checkpoint>: is a language model\nseed: has no flag here',
  )
  assert.equal(
    messageOf(() => refuseIfAny(errors.slice(0, 1))),
    '--few-shot: is too large',
  )
  assert.equal(
    messageOf(() => refuseIfAny([])),
    null,
  )
})

test('a failure that was told, as by an estimate, becomes the error again that it was', () => {
  for (const error of [
    badSetting('images', 'is a file'),
    badFile('rows.jsonl', 'line 3', 'is no object'),
    new SecateurError('does-not-fit', 'the disk is full: images: gone'),
  ]) {
    const again = errorOf(failureOf(error))
    assert.deepEqual(
      [again.kind, again.message, again.file, again.field],
      [error.kind, error.message, error.file, error.field],
    )
  }
})

test('what another process does not know to be a fault of the user is unsupported here', () => {
  const again = errorOf(failureOf(new TypeError('x is not a function')))
  assert.equal(again.kind, 'unsupported')
  assert.match(again.message, /x is not a function/)
})
