import type { ResultEvent } from '../../engine/contract/index.ts'
import type { RunState } from '../contract/index.ts'

/** How an attempt at a run ended. */
export interface Outcome {
  state: Extract<RunState, 'done' | 'failed' | 'paused' | 'cancelled' | 'interrupted'>
  reason: string | null
  result: ResultEvent | null
  /** Whether the process was lost, rather than ended by a job that cannot be done. */
  crashed?: boolean
}

/** Why a run is being stopped. */
export type Intent = 'pause' | 'cancel' | 'close'

/** Why runs are interrupted that the app left behind. */
export const leftReasons = { closed: 'The app was closed while it ran.', ended: 'The app ended while it ran.' } as const

/** How an attempt ended that was stopped on purpose. */
export function stopped(intent: Intent): Outcome {
  if (intent === 'pause') return { state: 'paused', reason: null, result: null }
  if (intent === 'cancel') return { state: 'cancelled', reason: null, result: null }
  return { state: 'interrupted', reason: leftReasons.closed, result: null }
}
