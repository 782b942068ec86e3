import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { DeviceTurns } from '../../../electron/services/device-turns.ts'

/** Turns with a queue of runs, and who has had the device so far. */
function turnsWith(runs: number[]) {
  const turns = new DeviceTurns()
  const had: string[] = []
  turns.startRuns = async () => {
    await setImmediate()
    if (runs.length > 0 && turns.takeForRun('processor', runs[0]!)) had.push(`run ${runs.shift()}`)
  }
  const ask = (name: string, abort = new AbortController()) => {
    const turn = turns.takeForQuestion('processor', abort.signal)
    return { turn, granted: turn.granted.then((release) => (had.push(name), release)) }
  }
  return { turns, had, ask }
}

test('a free device is given at once, and another device is not waited for', async () => {
  const { turns, ask } = turnsWith([])
  assert.equal(turns.takeForRun('graphics', 7), true)
  const { granted, turn } = ask('a')
  assert.equal(turn.run(), undefined)
  ;(await granted)()
  assert.equal(turns.takeForRun('processor', 8), true)
})

test('questions that wait come before the next run, and that run before later questions', async () => {
  const { turns, had, ask } = turnsWith([2])
  assert.equal(turns.takeForRun('processor', 1), true)
  const first = ask('a')
  const second = ask('b')
  assert.equal(first.turn.run(), 1)
  turns.freeByRun('processor')
  const release = await first.granted
  assert.equal(second.turn.run(), null)
  const late = ask('late')
  release()
  ;(await second.granted)()
  await setImmediate()
  await setImmediate()
  assert.deepEqual(had, ['a', 'b', 'run 2'])
  turns.freeByRun('processor')
  ;(await late.granted)()
  assert.deepEqual(had, ['a', 'b', 'run 2', 'late'])
})

test('a question leaves when it is cancelled, and goes on beside a run where that is asked for', async () => {
  const { turns, had, ask } = turnsWith([])
  turns.takeForRun('processor', 1)
  const abort = new AbortController()
  const gone = ask('gone', abort)
  const beside = ask('beside')
  abort.abort(new Error('cancelled'))
  await assert.rejects(gone.granted, /cancelled/)
  beside.turn.now()
  ;(await beside.granted)()
  assert.deepEqual(had, ['beside'])
  // The run has its device still.
  assert.equal(turns.takeForRun('processor', 2), false)
})
