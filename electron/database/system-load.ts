import type { LoadPoint } from '../contract/index.ts'
import type { Connection } from './open.ts'

/** Points that are kept of a run: beyond them two neighbours become one, so that a run of any length takes as much. */
const mostPoints = 2000

const names = ['processor', 'memoryBytes', 'card', 'cardMemoryBytes'] as const

/** How busy the computer was while runs went on, in a table of its own beside their curves. */
export class SystemLoadStore {
  readonly #db: Connection
  readonly #put
  readonly #all
  readonly #count
  readonly #clear

  constructor(db: Connection) {
    this.#db = db
    this.#put = db.prepare<[number, number, Buffer]>(
      'INSERT OR REPLACE INTO system_load (run_id, time, load) VALUES (?, ?, ?)',
    )
    this.#all = db.prepare<[number], { time: number; load: Buffer }>(
      'SELECT time, load FROM system_load WHERE run_id = ? ORDER BY time',
    )
    this.#count = db.prepare<[number], number>('SELECT count(*) FROM system_load WHERE run_id = ?')
    this.#count.pluck()
    this.#clear = db.prepare<[number]>('DELETE FROM system_load WHERE run_id = ?')
  }

  add(runId: number, point: LoadPoint): void {
    this.#db.transaction(() => {
      this.#put.run(runId, point.time, toBlob(point))
      if (this.#count.get(runId)! > mostPoints) this.#halve(runId)
    })()
  }

  of(runId: number): LoadPoint[] {
    return this.#all.all(runId).map(({ time, load }) => fromBlob(time, load))
  }

  #halve(runId: number): void {
    const points = this.of(runId)
    this.#clear.run(runId)
    for (let at = 0; at < points.length; at += 2) {
      const pair = points.slice(at, at + 2)
      const joined: LoadPoint = {
        time: pair.at(-1)!.time,
        processor: null,
        memoryBytes: null,
        card: null,
        cardMemoryBytes: null,
      }
      for (const name of names) joined[name] = meanOf(pair.flatMap((point) => point[name] ?? []))
      this.#put.run(runId, joined.time, toBlob(joined))
    }
  }
}

const meanOf = (values: readonly number[]): number | null =>
  values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length

const toBlob = (point: LoadPoint): Buffer => Buffer.from(Float32Array.from(names, (name) => point[name] ?? NaN).buffer)

function fromBlob(time: number, load: Buffer): LoadPoint {
  const value = (at: number) => {
    const found = load.readFloatLE(4 * at)
    return Number.isNaN(found) ? null : found
  }
  return { time, processor: value(0), memoryBytes: value(1), card: value(2), cardMemoryBytes: value(3) }
}
