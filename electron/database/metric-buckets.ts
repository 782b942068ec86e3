/** In the order in which a row holds them; new ones are added at the end. */
export const metricNames = [
  'loss',
  'learningRate',
  'gradientNorm',
  'tokensPerSecond',
  'memoryBytes',
  'sparsity.planned',
  'sparsity.heads',
  'sparsity.channels',
  'sparsity.parameters',
  'sparsity.parametersPlanned',
  'validationLoss',
  'validationTop1',
  'imagesPerSecond',
] as const
export type MetricName = (typeof metricNames)[number]

/** Numbers that a bucket holds of each metric. */
export const perMetric = 4

export const toBlob = (values: Float64Array) => Buffer.from(values.buffer, values.byteOffset, values.byteLength)

/** A copy, since a blob need not be aligned. */
export function fromBlob(blob: Buffer): Float64Array {
  const values = new Float64Array(blob.byteLength / 8)
  Buffer.from(values.buffer).set(blob)
  return values
}

/** A bucket without points: for each metric count, sum, minimum and maximum. */
export function emptyBucket(): Float64Array {
  const bucket = new Float64Array(metricNames.length * perMetric)
  for (let at = 0; at < bucket.length; at += perMetric) {
    bucket[at + 2] = Infinity
    bucket[at + 3] = -Infinity
  }
  return bucket
}

/** Adds the values of one step to a bucket. */
export function addPoint(bucket: Float64Array, values: Float64Array): void {
  for (const [metric, value] of values.entries()) {
    if (Number.isNaN(value)) continue
    const at = metric * perMetric
    bucket[at]! += 1
    bucket[at + 1]! += value
    bucket[at + 2] = Math.min(bucket[at + 2]!, value)
    bucket[at + 3] = Math.max(bucket[at + 3]!, value)
  }
}

/** Adds what another bucket holds. */
export function addBucket(bucket: Float64Array, other: Float64Array): void {
  for (let at = 0; at < other.length; at += perMetric) {
    bucket[at]! += other[at]!
    bucket[at + 1]! += other[at + 1]!
    bucket[at + 2] = Math.min(bucket[at + 2]!, other[at + 2]!)
    bucket[at + 3] = Math.max(bucket[at + 3]!, other[at + 3]!)
  }
}
