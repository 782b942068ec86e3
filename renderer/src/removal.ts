import type { engine } from '../../electron/contract/index.ts'
import { percent } from './format.ts'

/** How much of each kind leaves, beside what was asked for. */
export const removalFacts = (removal: engine.Removal): { name: string; value: string; detail: string }[] =>
  [
    { name: 'Heads removed', share: removal.heads },
    { name: 'Channels removed', share: removal.channels },
    { name: 'Parameters removed', share: removal.parameters },
  ].map(({ name, share }) => ({
    name,
    value: percent(share.actual, 1),
    detail: `planned ${percent(share.planned, 1)}`,
  }))
