import { backendExtras } from '../backends/extras.ts'

/** Rows of the head's input that are computed at once: the largest divisor of n whose logits are few enough. */
export function headRows(n: number, vocabulary: number): number {
  const { handy, most, rows: wanted } = backendExtras().logitsAtOnce
  const atOnce = Math.max(handy / vocabulary, Math.min(wanted, most / vocabulary))
  for (let rows = Math.min(n, Math.floor(atOnce)); rows > 1; rows--) if (n % rows === 0) return rows
  return 1
}
