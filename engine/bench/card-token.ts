import { median } from 'simple-statistics'
import type { CardBackend } from '../backends/webgpu/backend.ts'
import { KeyValueCache } from '../evaluation/key-value-cache.ts'
import { pickNext, rowsOf } from '../evaluation/pick.ts'
import type { Sampling } from '../evaluation/sampling.ts'
import type { Model } from '../models/family.ts'
import { Random } from '../shared/random.ts'

/** What a generated token takes beside the card's own work. */
export interface TokenWork {
  dispatches: number
  /** Bytes that the host reads of the card. */
  bytesRead: number
  /** The host's time for a token whose work was recorded before, the next one's choice included; waiting for the card is left out. */
  hostMicroseconds: number
  /** The same for one that is recorded. */
  recordingMicroseconds: number
}

interface Tokens {
  prompt: number
  tokens: number
  /** How tokens are chosen: the likeliest by default. */
  sampling?: Sampling
  /** Reads all logits, and chooses by these. */
  byAll?: boolean
}

/** Dispatches, bytes and the host's time of tokens after a prompt, medians. The first token compiles what the prompt did not need. */
export function tokenWork(
  model: Model,
  backend: CardBackend,
  { prompt, tokens, sampling = { temperature: 0, topP: 1 }, byAll = false }: Tokens,
): TokenWork {
  const random = new Random(1)
  const costs = (cache: KeyValueCache) => {
    const { dispatches, bytesRead } = backend
    const waited = backend.card.waitedMilliseconds
    const started = performance.now()
    const [next] = byAll
      ? rowsOf(cache.next([0]), model.config.vocabularySize)
      : cache.nextToPick([0], sampling.temperature)
    pickNext(next!, { ...sampling, random })
    const milliseconds = performance.now() - started - (backend.card.waitedMilliseconds - waited)
    return {
      dispatches: backend.dispatches - dispatches,
      bytesRead: backend.bytesRead - bytesRead,
      microseconds: Math.round(1000 * milliseconds),
    }
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
    bytesRead: median(others.map((each) => each.bytesRead)),
    hostMicroseconds: median(others.map((each) => each.microseconds)),
    recordingMicroseconds: first!.microseconds,
  }
}
