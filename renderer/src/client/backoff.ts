/** Milliseconds to wait before attempt n (from 0) to connect again: doubling from 250 ms up to 8 s. */
export const backOff = (attempt: number): number => Math.min(8000, 250 * 2 ** Math.min(attempt, 10))
