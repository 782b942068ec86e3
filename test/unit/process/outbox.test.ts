import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { EngineEvent } from '../../../engine/contract/index.ts'
import { Outbox } from '../../../engine/entries/process/outbox.ts'

const step = (number: number): EngineEvent => ({
  type: 'step',
  steps: 5000,
  tokensPerSecond: 1,
  secondsLeft: 1,
  memoryBytes: 1,
  metrics: { step: number, loss: 1, learningRate: 1, gradientNorm: 1, tokens: 1 },
})
const progress = (done: number): EngineEvent => ({ type: 'progress', stage: 'reading weights', done, total: 100 })

/** A channel that takes nothing until it is told to. */
function stuckChannel() {
  const given: EngineEvent[] = []
  const pending: ((error: Error | null) => void)[] = []
  const outbox = new Outbox((event, sent) => {
    given.push(event)
    pending.push(sent)
  })
  const take = () => {
    for (let sent = pending.shift(); sent; sent = pending.shift()) sent(null)
  }
  return { outbox, given, pending, take }
}

const stepsOf = (events: readonly EngineEvent[]) =>
  events.flatMap((event) => (event.type === 'step' ? [event.metrics.step] : []))

describe('events for a reader that stands still', () => {
  test('are held within bounds, and what is recorded in no file arrives in full', async () => {
    const { outbox, given, take } = stuckChannel()
    const saved = [100, 2500, 4999]
    for (let number = 1; number <= 5000; number++) {
      outbox.put(step(number))
      if (saved.includes(number)) outbox.put({ type: 'saved', step: number })
    }
    outbox.put({ type: 'warning', message: 'late' })
    assert.ok(given.length <= 16, `${given.length} were handed over at once`)
    take()
    await outbox.drained()
    const steps = stepsOf(given)
    assert.ok(steps.length <= 1016, `${steps.length} steps waited`)
    assert.deepEqual(
      steps.slice(-1000),
      Array.from({ length: 1000 }, (_, i) => 4001 + i),
    )
    assert.deepEqual(
      given.flatMap((event) => (event.type === 'saved' ? [event.step] : [])),
      saved,
    )
    assert.equal(given.at(-1)!.type, 'warning')
  })

  test('tell of progress only as it stands', async () => {
    const { outbox, given, take } = stuckChannel()
    for (let done = 1; done <= 100; done++) outbox.put(progress(done))
    take()
    await outbox.drained()
    const last = given.at(-1)!
    assert.ok(last.type === 'progress' && last.done === 100)
    assert.ok(given.length <= 17)
  })

  test('are given up where the reader has gone', async () => {
    const { outbox, given, pending } = stuckChannel()
    for (let number = 1; number <= 50; number++) outbox.put(step(number))
    pending[0]!(new Error('channel closed'))
    await outbox.drained()
    const before = given.length
    outbox.put(step(51))
    assert.equal(given.length, before)
  })
})
