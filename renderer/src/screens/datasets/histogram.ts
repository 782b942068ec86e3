import type { TokenLengths } from '../../../../electron/contract/index.ts'

/** A round number at or above a value: 1, 2 or 5 times a power of ten. */
export function roundUp(value: number): number {
  if (value <= 1) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  return [1, 2, 5, 10].map((factor) => factor * power).find((round) => round >= value)!
}

export interface Bar {
  /** Lengths from, and up to but without. */
  from: number
  to: number
  count: number
}

export const barsOf = ({ counts, binWidth }: Pick<TokenLengths, 'counts' | 'binWidth'>): Bar[] =>
  counts.map((count, index) => ({ from: index * binWidth, to: (index + 1) * binWidth, count }))
