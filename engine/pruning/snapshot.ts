import type { PruningSnapshot } from '../contract/index.ts'
import type { GroupMasks } from './masks.ts'
import type { LayerScores } from './scores.ts'

const mostBins = 64

/**
 * What a pruning step looks like: every head's score and whether it stays, and the channels of each layer in bins of
 * neighbours, so that a snapshot stays small however wide the model is.
 */
export function pruningSnapshot(
  step: number,
  planned: number,
  importance: readonly LayerScores[],
  masks: GroupMasks,
): PruningSnapshot {
  const layers = masks.map(({ heads, channels }, layer) => {
    const scores = importance[layer]!
    return {
      heads: { scores: Array.from(scores.heads, shortened), kept: Array.from(heads, (kept) => (kept ? 1 : 0)) },
      channels: {
        scores: binMeans(scores.channels).map(shortened),
        kept: binMeans(channels).map(shortened),
        count: channels.length,
      },
    }
  })
  return { step, planned, layers }
}

/** Means over at most 64 bins of neighbours, whose sizes differ by one at most. */
export function binMeans(values: ArrayLike<number>): number[] {
  const bins = Math.min(mostBins, values.length)
  return Array.from({ length: bins }, (_, bin) => {
    const first = Math.floor((bin * values.length) / bins)
    const end = Math.floor(((bin + 1) * values.length) / bins)
    let sum = 0
    for (let i = first; i < end; i++) sum += values[i]!
    return sum / (end - first)
  })
}

/** Five digits are more than a chart shows. JSON has no infinity, which a score that overflowed would be. */
const shortened = (value: number): number =>
  Number(Math.min(Number.MAX_VALUE, Math.max(-Number.MAX_VALUE, value)).toPrecision(5))
