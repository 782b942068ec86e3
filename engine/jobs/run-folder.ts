import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import type { StoredTensor } from '../checkpoint/model-config.ts'
import { SafetensorsFile } from '../checkpoint/safetensors.ts'
import { writeSafetensors } from '../checkpoint/safetensors-writer.ts'
import { jobSchema, type Job, type StepMetrics, stepMetricsSchema } from '../contract.ts'
import { badFile, badSetting } from '../errors.ts'
import { readJson, writeFileAtomically, writeJson } from '../files.ts'

const version = 1
const runSchema = z.object({
  version: z.literal(version),
  job: jobSchema,
  started: z.string(),
  software: z.record(z.string(), z.string()),
  hardware: z.object({ processor: z.string(), cores: z.int(), memoryBytes: z.number() }),
})

/** Values of a run at the end of a step, by name. */
export type SavedValues = Map<string, { shape: number[]; data: Float32Array }>

/** Settings that may differ between a run and its continuation: they do not enter the numbers. */
const free = new Set(['out', 'saveEvery'])
const essence = (job: Job) => Object.fromEntries(Object.entries(job).filter(([name]) => !free.has(name)))

/**
 * A run on disk: run.json (the job, versions, hardware), metrics.jsonl (a line a step), state/ (what is needed to go on)
 * and output/. The folder alone is enough to resume the run.
 */
export class RunFolder {
  readonly path: string
  #metrics: number | null = null

  private constructor(path: string) {
    this.path = path
  }

  /** @throws SecateurError where the folder holds something already. */
  static create(path: string, job: Job): RunFolder {
    if (existsSync(path) && readdirSync(path).length > 0 && !neverStarted(path))
      throw badSetting(
        'out',
        `${path} holds something already: name another folder, or continue the run in it with --resume`,
      )
    mkdirSync(path, { recursive: true })
    writeJson(join(path, 'run.json'), {
      version,
      job,
      started: new Date().toISOString(),
      software: { secateur: '0.1.0', node: process.versions.node, platform: `${process.platform} ${process.arch}` },
      hardware: { processor: cpus()[0]?.model ?? 'unknown', cores: cpus().length, memoryBytes: totalmem() },
    } satisfies z.input<typeof runSchema>)
    return new RunFolder(path)
  }

  /** The job of the run in a folder. */
  static jobOf(path: string): Job {
    const file = join(path, 'run.json')
    if (!existsSync(file)) throw badFile(path, undefined, 'there is no run.json here: this is not a run folder')
    return readJson(file, runSchema).job
  }

  /** @throws SecateurError where the folder holds a run of another job. */
  static open(path: string, job: Job): RunFolder {
    const earlier = essence(RunFolder.jobOf(path))
    const now = essence(job)
    const different = Object.keys({ ...earlier, ...now }).filter((name) => !isDeepStrictEqual(earlier[name], now[name]))
    if (different.length > 0)
      throw badSetting(
        different[0]!,
        `the run in ${path} was started with ${JSON.stringify(earlier[different[0]!])}, not ${JSON.stringify(now[different[0]!])}: a run is continued as it was started`,
      )
    return new RunFolder(path)
  }

  get #stateFile(): string {
    return join(this.path, 'state', 'state.safetensors')
  }

  get output(): string {
    return join(this.path, 'output')
  }

  get #metricsFile(): string {
    return join(this.path, 'metrics.jsonl')
  }

  /** Saves the state after a step: the old one stays until the new one is whole on disk. */
  save(step: number, values: SavedValues): void {
    this.#syncMetrics()
    mkdirSync(join(this.path, 'state'), { recursive: true })
    const tensors = [...values].map(([name, { shape, data }]): StoredTensor => {
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
      return { name, dtype: 'float32', shape, bytes }
    })
    writeSafetensors(this.#stateFile, tensors, { step: String(step) })
  }

  /** The last saved state, or null where the run has none yet. */
  load(): { step: number; values: SavedValues } | null {
    if (!existsSync(this.#stateFile)) return null
    using file = new SafetensorsFile(this.#stateFile)
    const step = Number(file.metadata['step'])
    if (!Number.isInteger(step) || step < 0) throw badFile(this.#stateFile, 'step', 'is not a number of steps')
    const values: SavedValues = new Map()
    for (const name of file.tensors.keys()) {
      const { shape, bytes } = file.read(name)
      const data = new Float32Array(bytes.byteLength / 4)
      new Uint8Array(data.buffer).set(bytes)
      values.set(name, { shape, data })
    }
    return { step, values }
  }

  /** Forgets the metrics of steps after `step`, which are going to be repeated, and opens the file for the next ones. */
  startMetrics(step: number): void {
    const lines = existsSync(this.#metricsFile) ? readFileSync(this.#metricsFile, 'utf8').split('\n') : []
    const kept = lines.filter((line) => {
      const metrics = parseMetrics(line)
      return metrics !== null && metrics.step <= step
    })
    writeFileAtomically(this.#metricsFile, kept.map((line) => `${line}\n`).join(''))
    this.#metrics = openSync(this.#metricsFile, 'a')
  }

  append(metrics: StepMetrics): void {
    if (this.#metrics !== null) writeSync(this.#metrics, `${JSON.stringify(metrics)}\n`)
  }

  #syncMetrics(): void {
    if (this.#metrics !== null) fsyncSync(this.#metrics)
  }

  close(): void {
    if (this.#metrics === null) return
    this.#syncMetrics()
    closeSync(this.#metrics)
    this.#metrics = null
  }
}

/** Whether a run failed here before its first step, of missing data for example: there is nothing to lose or to resume. */
const neverStarted = (path: string): boolean =>
  readdirSync(path).every((name) => name === 'run.json') &&
  runSchema.safeParse(parseJson(readFileSync(join(path, 'run.json'), 'utf8'))).success

/** Null for text that is not JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** A line of metrics.jsonl; null for one that a crash cut short. */
function parseMetrics(line: string): StepMetrics | null {
  const parsed = stepMetricsSchema.safeParse(parseJson(line))
  return parsed.success ? parsed.data : null
}
