import type { Series } from '../contract/index.ts'
import {
  addBucket,
  addPoint,
  emptyBucket,
  fromBlob,
  type MetricName,
  metricNames,
  perMetric,
  toBlob,
} from './metric-buckets.ts'
import type { Connection } from './open.ts'

/** Values of one step; NaN for a metric that the step does not have. */
export interface MetricRow {
  step: number
  values: Float64Array
}

/** Each level joins this many rows of the one below. */
const factor = 4
const levels = 12
interface Stored {
  bucket: number
  data: Buffer
}

/**
 * Curves of runs. Level 0 has a row a step with one double a metric; level n has a row for the steps
 * [b 4^n, (b + 1) 4^n) with count, sum, minimum and maximum of each metric, so that a piece of a curve of any length is
 * read from a few thousand rows. All levels are kept as points come in.
 */
export class MetricStore {
  readonly #db: Connection
  readonly #get
  readonly #put
  readonly #range
  readonly #cut
  readonly #first
  readonly #last
  readonly #level

  constructor(db: Connection) {
    this.#db = db
    this.#get = db.prepare<[number, number, number], Buffer>(
      'SELECT data FROM metrics WHERE run_id = ? AND level = ? AND bucket = ?',
    )
    this.#get.pluck()
    this.#put = db.prepare<[number, number, number, Buffer]>(
      'INSERT OR REPLACE INTO metrics (run_id, level, bucket, data) VALUES (?, ?, ?, ?)',
    )
    this.#range = db.prepare<[number, number, number, number], Stored>(
      'SELECT bucket, data FROM metrics WHERE run_id = ? AND level = ? AND bucket BETWEEN ? AND ? ORDER BY bucket',
    )
    this.#cut = db.prepare<[number, number, number]>(
      'DELETE FROM metrics WHERE run_id = ? AND level = ? AND bucket > ?',
    )
    this.#first = db.prepare<[number], number>(
      'SELECT bucket FROM metrics WHERE run_id = ? AND level = 0 ORDER BY bucket LIMIT 1',
    )
    this.#first.pluck()
    this.#last = db.prepare<[number], number>(
      'SELECT bucket FROM metrics WHERE run_id = ? AND level = 0 ORDER BY bucket DESC LIMIT 1',
    )
    this.#last.pluck()
    this.#level = db.prepare<[number, number], Stored>(
      'SELECT bucket, data FROM metrics WHERE run_id = ? AND level = ? ORDER BY bucket',
    )
  }

  /** The last step that is stored; 0 where there is none. */
  lastStep(runId: number): number {
    return this.#last.get(runId) ?? 0
  }

  /** Adds steps after the last one, in order. To be called within a transaction. */
  append(runId: number, rows: readonly MetricRow[]): void {
    for (const { step, values } of rows) this.#put.run(runId, 0, step, toBlob(values))
    for (let level = 1; level <= levels; level++) {
      const bucketOf = ({ step }: MetricRow) => Math.floor(step / factor ** level)
      for (let at = 0; at < rows.length;) {
        const bucket = bucketOf(rows[at]!)
        const data = this.#bucket(runId, level, bucket)
        for (; at < rows.length && bucketOf(rows[at]!) === bucket; at++) addPoint(data, rows[at]!.values)
        this.#put.run(runId, level, bucket, toBlob(data))
      }
    }
  }

  #bucket(runId: number, level: number, bucket: number): Float64Array {
    const whole = emptyBucket()
    const stored = this.#get.get(runId, level, bucket)
    if (stored) addBucket(whole, fromBlob(stored))
    return whole
  }

  /** Deletes the steps after `step`. */
  rewind(runId: number, step: number): void {
    this.#db.transaction(() => {
      this.#cut.run(runId, 0, step)
      for (let level = 1; level <= levels; level++) {
        const bucket = Math.floor(step / factor ** level)
        this.#cut.run(runId, level, bucket - 1)
        const whole = emptyBucket()
        let parts = 0
        for (const { data } of this.#range.iterate(runId, level - 1, bucket * factor, (bucket + 1) * factor - 1)) {
          parts++
          if (level === 1) addPoint(whole, fromBlob(data))
          else addBucket(whole, fromBlob(data))
        }
        if (parts > 0) this.#put.run(runId, level, bucket, toBlob(whole))
      }
    })()
  }

  /** How many points each metric has, and which it has at all. */
  counts(runId: number): Map<MetricName, number> {
    const whole = emptyBucket()
    for (const { data } of this.#level.iterate(runId, levels)) addBucket(whole, fromBlob(data))
    return new Map(
      metricNames.flatMap((name, metric) => {
        const count = whole[metric * perMetric]!
        return count > 0 ? [[name, count] as const] : []
      }),
    )
  }

  /** Means with their ranges over `points` pieces at most between two steps; the points themselves where they are few enough. */
  series(
    runId: number,
    { names, from, to, points }: { names?: readonly string[]; from?: number; to?: number; points: number },
  ): Series[] {
    const counts = this.counts(runId)
    const wanted = metricNames.filter((name) => counts.has(name) && (names?.includes(name) ?? true))
    const start = Math.max(this.#first.get(runId) ?? 0, Math.ceil(from ?? 0))
    const end = Math.min(this.lastStep(runId), Math.floor(to ?? Infinity))
    const series = wanted.map((name): Series => ({
      name,
      steps: [],
      mean: [],
      min: [],
      max: [],
      points: counts.get(name)!,
    }))
    if (wanted.length === 0 || end < start) return series

    const span = end - start + 1
    if (span <= points) {
      for (const { bucket, data } of this.#range.iterate(runId, 0, start, end)) {
        const values = fromBlob(data)
        for (const [at, name] of wanted.entries()) {
          const value = values[metricNames.indexOf(name)] ?? NaN
          if (!Number.isNaN(value)) push(series[at]!, bucket, value, value, value)
        }
      }
      return series
    }
    // The finest level that has no more than four rows to each piece, and then pieces of whole rows.
    let level = 0
    while (span / factor ** level > factor * points) level++
    const width = factor ** level
    const first = Math.floor(start / width)
    const rowsToPiece = Math.ceil((Math.floor(end / width) - first + 1) / points)
    let piece = -1
    let whole = emptyBucket()
    const finish = () => {
      if (piece < 0) return
      const low = Math.max(start, (first + piece * rowsToPiece) * width)
      const high = Math.min(end, (first + (piece + 1) * rowsToPiece) * width - 1)
      for (const [at, name] of wanted.entries()) {
        const offset = metricNames.indexOf(name) * perMetric
        const count = whole[offset]!
        if (count > 0)
          push(series[at]!, (low + high) / 2, whole[offset + 1]! / count, whole[offset + 2]!, whole[offset + 3]!)
      }
      whole = emptyBucket()
    }
    for (const { bucket, data } of this.#range.iterate(runId, level, first, Math.floor(end / width))) {
      const at = Math.floor((bucket - first) / rowsToPiece)
      if (at !== piece) {
        finish()
        piece = at
      }
      if (level === 0) addPoint(whole, fromBlob(data))
      else addBucket(whole, fromBlob(data))
    }
    finish()
    return series
  }
}

function push(series: Series, step: number, mean: number, min: number, max: number): void {
  series.steps.push(step)
  series.mean.push(mean)
  series.min.push(min)
  series.max.push(max)
}
