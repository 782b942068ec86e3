import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import {
  pruningSnapshotSchema,
  sampleSchema,
  type StepMetrics,
  stepMetricsSchema,
} from '../../engine/contract/index.ts'
import type { Events, PruningSnapshot } from '../contract/index.ts'
import { metricNames } from '../database/metric-buckets.ts'
import type { MetricRow } from '../database/metrics.ts'
import type { RunRow } from '../database/runs.ts'
import type { Context } from './context.ts'
import { JsonLines } from './json-lines.ts'

/** What only the events say of a step. */
interface Speed {
  tokensPerSecond: number
  /** Of a model that sees images. */
  imagesPerSecond?: number | undefined
  memoryBytes: number
}

/**
 * Brings what a run wrote into its folder into the database. The folder is the truth: the engine writes a line before it
 * sends the event, so whatever was reported is found here, also after a crash of either side.
 */
export class RunRecorder {
  readonly #context: Context
  readonly #id: number
  readonly #metrics: JsonLines
  readonly #snapshots: JsonLines
  readonly #samples: JsonLines
  readonly #speeds = new Map<number, Speed>()
  #lastStep: number
  #lastSnapshot: number
  #lastSample: number
  #reading: Promise<void> = Promise.resolve()

  constructor(context: Context, id: number, folder: string) {
    this.#context = context
    this.#id = id
    this.#metrics = new JsonLines(join(folder, 'metrics.jsonl'))
    this.#snapshots = new JsonLines(join(folder, 'pruning.jsonl'))
    this.#samples = new JsonLines(join(folder, 'samples.jsonl'))
    const { runs } = context
    this.#lastStep = runs.metrics.lastStep(id)
    this.#lastSnapshot = runs.records.snapshotSteps(id).at(-1) ?? -1
    this.#lastSample = runs.records.samples(id).at(-1)?.step ?? -1
  }

  noteSpeed(step: number, speed: Speed): void {
    this.#speeds.set(step, speed)
  }

  /**
   * Reads what is new in slices, each in one transaction, with the changes of the run in the last one. `emits` sends the
   * renderers what is new.
   */
  read(emits: boolean, changes: Partial<RunRow> = {}): Promise<void> {
    const reading = this.#reading.then(() => this.#read(emits, changes))
    this.#reading = reading.catch(() => {})
    return reading
  }

  async close(): Promise<void> {
    await this.#reading
    await Promise.all([this.#metrics, this.#snapshots, this.#samples].map((lines) => lines.close()))
  }

  async #read(emits: boolean, changes: Partial<RunRow>): Promise<void> {
    const { db, runs } = this.#context
    for (;;) {
      const metrics = await this.#nextOf(this.#metrics, stepMetricsSchema)
      const snapshots = await this.#nextOf(this.#snapshots, pruningSnapshotSchema)
      const samples = await this.#nextOf(this.#samples, sampleSchema)
      const ended = [metrics, snapshots, samples].every(({ lines }) => lines === 0)
      if (ended && Object.keys(changes).length === 0) return
      const rows = this.#newRows(metrics.values)
      const newSnapshots = snapshots.values.filter(({ step }) => step > this.#lastSnapshot)
      const newSamples = samples.values.filter(({ step }) => step >= this.#lastSample)
      db.transaction(() => {
        if (rows.length > 0) runs.metrics.append(this.#id, rows)
        for (const snapshot of newSnapshots) runs.records.addSnapshot(this.#id, snapshot)
        for (const sample of newSamples) runs.records.addSample(this.#id, sample)
        if (ended) runs.update(this.#id, changes)
      })()
      this.#lastSnapshot = newSnapshots.at(-1)?.step ?? this.#lastSnapshot
      this.#lastSample = newSamples.at(-1)?.step ?? this.#lastSample
      if (emits) this.#emitNew(rows, newSnapshots, newSamples)
      if (ended) return
      await setImmediate()
    }
  }

  /** The next lines that are what they should be, and how many there were. */
  async #nextOf<T>(lines: JsonLines, schema: { safeParse(value: unknown): { success: boolean; data?: T } }) {
    const found = await lines.next()
    const values = found.flatMap((line) => {
      const parsed = schema.safeParse(line)
      return parsed.success ? [parsed.data as T] : []
    })
    return { lines: found.length, values }
  }

  #newRows(metrics: StepMetrics[]): MetricRow[] {
    const rows: MetricRow[] = []
    for (const line of metrics) {
      if (line.step <= this.#lastStep) continue
      this.#lastStep = line.step
      const speed = this.#speeds.get(line.step)
      this.#speeds.delete(line.step)
      rows.push({ step: line.step, values: valuesOf(line, speed) })
    }
    // A step that came as an event but is not in the file is not stored.
    if (this.#speeds.size > 10_000) this.#speeds.clear()
    return rows
  }

  #emitNew(rows: MetricRow[], snapshots: PruningSnapshot[], samples: Events['sample']['sample'][]): void {
    const { emit } = this.#context
    const id = this.#id
    if (rows.length > 0) {
      const points = metricNames.flatMap((name, at) => {
        const known = rows.filter(({ values }) => !Number.isNaN(values[at]!))
        if (known.length === 0) return []
        return [{ name, steps: known.map(({ step }) => step), values: known.map(({ values }) => values[at]!) }]
      })
      emit('metrics', { id, points })
    }
    for (const snapshot of snapshots) emit('snapshot', { id, snapshot })
    for (const sample of samples) emit('sample', { id, sample })
  }
}

/** What the store keeps of a step. */
export function valuesOf(
  { loss, validationLoss, validationTop1, learningRate, gradientNorm, sparsity }: StepMetrics,
  speed: Speed | undefined,
): Float64Array {
  const values: Record<(typeof metricNames)[number], number | null | undefined> = {
    loss,
    validationLoss,
    validationTop1,
    learningRate,
    gradientNorm,
    tokensPerSecond: speed?.imagesPerSecond === undefined ? speed?.tokensPerSecond : undefined,
    imagesPerSecond: speed?.imagesPerSecond,
    memoryBytes: speed?.memoryBytes,
    'sparsity.planned': sparsity?.planned,
    'sparsity.heads': sparsity?.heads,
    'sparsity.channels': sparsity?.channels,
    'sparsity.parameters': sparsity?.parameters?.actual,
    'sparsity.parametersPlanned': sparsity?.parameters?.planned,
  }
  return Float64Array.from(metricNames, (name) => values[name] ?? NaN)
}
