import { bytes, count, decimals, duration, number, percent, perSecond, points, sign } from '../../format.ts'
import type { MetricType, MetricValue } from './metrics.ts'

/** A metric's value with its unit. */
export function metricText(type: MetricType, value: number): string {
  switch (type) {
    case 'count':
      return count(value)
    case 'bytes':
      return bytes(value)
    case 'seconds':
      return duration(value)
    case 'accuracy':
      return percent(value, 1)
    case 'speed':
      return perSecond(value, 'tokens')
    case 'imageSpeed':
      return perSecond(value, 'images')
    case 'perplexity':
    case 'loss':
      return number(value)
  }
}

/** The standard error of a metric, as it stands behind "±"; empty where none is known. */
export const errorText = (type: MetricType, { error }: Pick<MetricValue, 'error'>): string =>
  error === null ? '' : type === 'accuracy' ? decimals(100 * error, 1) : number(error, 2)

/** By how much a metric changed: of fractions in percentage points. */
export function changeText(type: MetricType, change: number): string {
  return type === 'accuracy' ? `${points(change)} points` : `${sign(change)}${metricText(type, Math.abs(change))}`
}
