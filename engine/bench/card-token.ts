import { median } from 'simple-statistics'
import type { CardBackend } from '../backends/webgpu/backend.ts'
import { KeyValueCache } from '../evaluation/key-value-cache.ts'
import type { Model } from '../models/family.ts'

/** What a generated token takes beside the card's own work. */
export interface TokenWork {
  dispatches: number
  /** The host's time for a token whose work was recorded before; waiting for the card is left out. */
  hostMicroseconds: number
  /** The same for one that is recorded. */
  recordingMicroseconds: number
}

/** Dispatches and the host's time of tokens after a prompt, medians. The first token compiles what the prompt did not need. */
export function tokenWork(model: Model, backend: CardBackend, lengths: { prompt: number; tokens: number }): TokenWork {
  const { prompt, tokens } = lengths
  const costs = (cache: KeyValueCache) => {
    const { dispatches } = backend
    const waited = backend.card.waitedMilliseconds
    const started = performance.now()
    cache.next([0])
    const milliseconds = performance.now() - started - (backend.card.waitedMilliseconds - waited)
    return { dispatches: backend.dispatches - dispatches, microseconds: Math.round(1000 * milliseconds) }
  }
  const measured = [1, 2].map(() => {
    const cache = new KeyValueCache(model, prompt + tokens, {})
    try {
      cache.prompt([Array.from({ length: prompt }, (_, id) => id)], prompt)
      return Array.from({ length: tokens }, () => costs(cache))
    } finally {
      cache.dispose()
    }
  })
  const [first, ...others] = measured[1]!
  return {
    dispatches: median(others.map((each) => each.dispatches)),
    hostMicroseconds: median(others.map((each) => each.microseconds)),
    recordingMicroseconds: first!.microseconds,
  }
}
