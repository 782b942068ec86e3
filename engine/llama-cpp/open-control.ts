import type { Estimate } from '../contract/index.ts'

/** How one hears of a checkpoint that is opened, and ends it. */
export interface OpenControl {
  signal: AbortSignal
  /** Takes what a person may want to know. */
  say: (message: string) => void
  /** Takes what the model will need, before it is refused. */
  estimated: (estimate: Estimate) => void
  progress: (stage: 'reading weights' | 'writing' | 'proving', done: number, total: number) => void
}
