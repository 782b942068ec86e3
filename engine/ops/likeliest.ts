import { leastRanked } from '../backends/likeliest.ts'
import type { Tensor } from '../tensor/tf.ts'
import { isFused, runFused } from './fused.ts'

/** A temperature below it is as good as none, and a card's quotients by it would not be finite. */
const leastTemperature = 1e-3

/** Whether the back end in use finds the likeliest of so many tokens itself. */
export const ranksTokens = (vocabulary: number, temperature: number): boolean =>
  vocabulary >= leastRanked && (temperature === 0 || temperature >= leastTemperature) && isFused('Likeliest')

/**
 * The likeliest tokens of each row: what `readLikeliest` reads, a row for each. At temperature 0 only the likeliest one is found.
 *
 * @param logits [rows, vocabulary], of a vocabulary that the back end ranks
 */
export const likeliest = (logits: Tensor, temperature: number): Tensor =>
  runFused('Likeliest', { logits }, { temperature })[0]!
