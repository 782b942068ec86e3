import { handyRows } from '../backends/extras.ts'

/** Rows of the head's input that are computed at once: as many as the back end in use likes that divide n. */
export function headRows(n: number, vocabulary: number): number {
  for (let rows = Math.min(n, handyRows(vocabulary)); rows > 1; rows--) if (n % rows === 0) return rows
  return 1
}
