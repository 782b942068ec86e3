import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import type { EngineEvent, ProgressEvent } from '../../../engine/contract/index.ts'
import { SweepProgress } from '../../../engine/sweeps/sweep-progress.ts'

const scoring = (secondsLeft: number): EngineEvent => ({
  type: 'progress',
  stage: 'scoring',
  done: 1,
  total: 4,
  secondsLeft,
})

test('a sweep tells how many runs are over, and what is left by the pace of those that were worked on', () => {
  let now = 0
  const clock = mock.method(performance, 'now', () => now)
  try {
    const told: ProgressEvent[] = []
    const progress = new SweepProgress(4, 1, (event) => void (event.type === 'progress' && told.push(event)))
    // Over from an earlier attempt: its time says nothing.
    progress.begin('1-a')
    progress.end('1-a', false)
    assert.deepEqual([told.at(-1)!.parts, told.at(-1)!.secondsLeft], [{ done: 1, total: 4 }, undefined])
    progress.begin('2-b')
    now = 4000
    progress.hear('2-b', scoring(6))
    // Its stage says that it takes 10 s in all, and two wait that are taken to be like it.
    assert.deepEqual([told.at(-1)!.done, told.at(-1)!.item, told.at(-1)!.secondsLeft], [0.4, '2-b', 26])
    now = 8000
    progress.end('2-b', true)
    progress.begin('3-c')
    now = 10_000
    progress.hear('3-c', scoring(100))
    // Runs took 8 s: what a stage says of itself counts no more.
    assert.deepEqual([told.at(-1)!.done, told.at(-1)!.parts!.done, told.at(-1)!.secondsLeft], [0.25, 2, 14])
  } finally {
    clock.mock.restore()
  }
})
