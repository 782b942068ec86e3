/**
 * Exponential moving average with bias correction, as curves of training losses are commonly drawn:
 * m_t = factor m_(t-1) + (1 - factor) x_t from zero, shown as m_t / (1 - factor^t). Gaps stay gaps and do not count.
 *
 * @param factor from 0 (the values as they are) up to, and without, 1.
 */
export function smooth(values: readonly (number | null)[], factor: number): (number | null)[] {
  if (!(factor >= 0 && factor < 1)) throw new RangeError(`a smoothing factor is from 0 to below 1, not ${factor}`)
  if (factor === 0) return [...values]
  let average = 0
  let missing = 1
  return values.map((value) => {
    if (value === null) return null
    average = factor * average + (1 - factor) * value
    missing *= factor
    return average / (1 - missing)
  })
}
