import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { jobSchema } from '../../engine/contract/index.ts'
import type { RunRow } from '../database/runs.ts'
import { toProblem, wasAborted } from '../problems.ts'
import type { Context } from './context.ts'
import { requireAllowedWithin } from './allowed-paths.ts'
import { endOnCluster, isLeftOnCluster } from './clusters.ts'
import type { DeviceTurns } from './device-turns.ts'
import { requireJobAllowed } from './job-paths.ts'
import { LoadSampler } from './load-sampler.ts'
import type { Library } from './library.ts'
import { RunBookkeeping } from './run-bookkeeping.ts'
import { DeviceChoice } from './run-device.ts'
import { enterResult, enterSweep, isRunFolder, removeBegun, settleExport, settleFromFolder } from './run-folders.ts'
import { leftReasons, type Outcome } from './run-outcome.ts'
import { RunProcess, stillRuns } from './run-process.ts'
import { busyStates, clusterOf, summaryOf, sweepAbove } from './run-summary.ts'
import { awaitsValidation } from './run-validation.ts'
import { showOnPlatform } from './show-on-platform.ts'
import { followerOf } from './sweep-follower.ts'

/** Queues runs, and gives each device one run at a time. */
export class RunQueue {
  readonly #context: Context
  readonly #library: Library
  readonly #books: RunBookkeeping
  readonly #processes = new Map<number, RunProcess>()
  readonly #turns: DeviceTurns
  readonly #sampler: LoadSampler
  readonly #deviceChoice: DeviceChoice
  readonly #settling = new Set<Promise<void>>()
  /** Runs that the user has asked to go on since the app was started. */
  readonly #asked = new Set<number>()
  #closing = false
  #scheduling: Promise<void> = Promise.resolve()

  constructor(context: Context, library: Library, turns: DeviceTurns) {
    this.#context = context
    this.#turns = turns
    turns.startRuns = async () => {
      if (this.#closing) return
      this.schedule()
      await this.#scheduling
    }
    this.#library = library
    this.#books = new RunBookkeeping(context, (id) => this.announce(id))
    this.#sampler = new LoadSampler(context, () => [...this.#processes.keys()])
    this.#deviceChoice = new DeviceChoice(context.engine)
  }

  /** Memory that is given back before a run starts. */
  get releasableBytes(): number {
    return this.#turns.releasableBytes()
  }

  process(id: number): RunProcess | undefined {
    return this.#processes.get(id)
  }

  /** Tells every listener how a run stands. */
  announce(id: number): void {
    const { runs, emit } = this.#context
    const row = runs.get(id)
    if (row && row.removed === null) emit('run', summaryOf(row, runs))
    showOnPlatform(this.#context, this.#processes)
  }

  /** Notes that the user wants a run to go on, which is more than to follow what was left on a cluster. */
  noteAsked(id: number): void {
    this.#asked.add(id)
  }

  /** Starts what can be started. */
  schedule(): void {
    this.#scheduling = this.#scheduling.then(() => this.#schedule())
    this.#context.inBackground(this.#scheduling)
    this.#scheduling = this.#scheduling.catch(() => {})
  }

  async #schedule(): Promise<void> {
    for (const row of this.#context.runs.queued()) {
      if (this.#closing) return
      const device = await this.#deviceChoice.of(row)
      // The run may have been paused, cancelled or removed meanwhile.
      if (this.#context.runs.get(row.id)?.state !== 'queued' || !this.#turns.takeForRun(device, row.id)) continue
      this.#follow(this.#run(row), row.id, device)
    }
  }

  #follow(work: Promise<void>, id: number, device: string): void {
    const settled = work
      .catch((error: unknown) => {
        const failed = { state: 'failed', reason: toProblem(error).message } as const
        const end = { ...failed, finished: Date.now(), pid: null }
        return this.#books.write(id, failed, () => this.#context.runs.update(id, end))
      })
      .finally(() => {
        this.#processes.delete(id)
        this.#settling.delete(settled)
        this.announce(id)
        this.#turns.freeByRun(device)
      })
    this.#settling.add(settled)
    this.#context.inBackground(settled)
  }

  async #run(row: RunRow): Promise<void> {
    const { engine, runs, emit } = this.#context
    const job = jobSchema.parse(JSON.parse(row.job))
    const started = row.started ?? Date.now()
    // It waits in the queue as long as the disk takes nothing, where it may be paused or cancelled.
    await this.#books.write(row.id, null, () => {
      if (runs.get(row.id)?.state === 'queued' && !this.#closing)
        runs.update(row.id, { state: 'starting', reason: null, started, finished: null })
    })
    if (runs.get(row.id)?.state !== 'starting') return
    this.announce(row.id)
    const { platform } = this.#context.options
    await requireJobAllowed(platform, job)
    await requireAllowedWithin(platform, [row.folder])
    const resume = isRunFolder(row.folder)
    if (!resume) await removeBegun(row.folder)
    else {
      const { lastSavedStep } = await engine.request('readRunFolder', { path: row.folder })
      // The engine measures the saved step where a stop had cut that short, and writes its line again.
      const kept = awaitsValidation(this.#context, row, job, lastSavedStep) ? lastSavedStep - 1 : lastSavedStep
      const rewound = runs.metrics.lastStep(row.id) > kept
      await this.#books.write(row.id, null, () => {
        runs.rewind(row.id, kept)
        runs.update(row.id, { last_saved_step: lastSavedStep > 0 ? lastSavedStep : null })
      })
      if (rewound) emit('rewound', { id: row.id, step: kept })
    }
    const cluster = clusterOf(row)
    if (!cluster) await this.#turns.beforeRun()
    const current = runs.get(row.id)!
    // Paused, cancelled or closed while the folder was read.
    if (this.#closing || current.state !== 'starting') return this.#giveUp(current)
    // What failed on a cluster while nobody followed it is told of, and submitted again only where that is wanted.
    if (cluster && 'cluster' in job) job.cluster = { ...cluster, resubmit: !resume || this.#asked.delete(row.id) }
    const process = new RunProcess(this.#context, current, job, { resume, changed: () => this.announce(row.id) })
    this.#processes.set(row.id, process)
    if (!cluster) this.#sampler.start()
    const follower = cluster && followerOf(job, this.#context, this.#library, current, (id) => this.announce(id))
    const outcome = await endOnCluster(this.#context, current, await process.outcome)
    this.#processes.delete(row.id)
    await follower?.close(this.#closing ? leftReasons.closed : `Its sweep is ${outcome.state}.`)
    await this.#books.write(row.id, outcome, async () => {
      await process.settle()
      await this.#end(row.id, outcome)
    })
  }

  #giveUp(row: RunRow): void {
    if (row.state === 'starting') this.#context.runs.update(row.id, { state: 'queued' })
  }

  async #end(id: number, outcome: Outcome): Promise<void> {
    const { runs, options, settings } = this.#context
    const row = runs.get(id)!
    const finished = Date.now()
    if (outcome.result) await enterResult(this.#context, this.#library, row, outcome.result, finished)
    else if (row.kind === 'sweep' && !this.#closing) await enterSweep(this.#context, this.#library, row, false)
    runs.update(id, {
      state: outcome.state,
      reason: outcome.reason,
      finished,
      pid: null,
      pid_started: null,
      ...(await this.#factsOf(row, outcome)),
    })
    if (!settings().notifications || this.#closing) return
    if (outcome.state === 'done') options.platform.notify(`${row.name} is done`, 'Its result is in the library.', id)
    if (outcome.state === 'failed') options.platform.notify(`${row.name} failed`, outcome.reason ?? '', id)
  }

  /** What the folder says of a run that has ended. A crash before the first saved state can start over in it. */
  async #factsOf(row: RunRow, { crashed }: Outcome): Promise<Partial<RunRow>> {
    const nothing = crashed ? 0 : null
    if (!isRunFolder(row.folder)) return { last_saved_step: nothing }
    try {
      const report = await this.#context.engine.request('readRunFolder', { path: row.folder })
      return {
        last_saved_step: report.lastSavedStep > 0 ? report.lastSavedStep : nothing,
        software: JSON.stringify(report.software),
        hardware: JSON.stringify(report.hardware),
      }
    } catch (error) {
      // The app is closing, or the folder has gone: what the events said stays.
      if (!wasAborted(error)) console.error(error)
      return {}
    }
  }

  /** Recovers runs that were busy when the app ended: waits for their processes, then reads the state from their folders. */
  recover(): void {
    const { runs } = this.#context
    for (const row of runs.inStates(['interrupted'])) this.#followOn(row)
    for (const row of runs.inStates(busyStates)) {
      if (sweepAbove(row, runs)) {
        runs.update(row.id, { state: 'interrupted', reason: leftReasons.ended })
        continue
      }
      // Nothing is written yet: the next start would do the same again.
      runs.unwritten.set(row.id, { state: 'stopping', reason: null })
      const device = `lost-${row.id}`
      const recovered = this.#recover(row).then(() => this.#followOn(runs.get(row.id)!))
      this.#follow(recovered, row.id, device)
    }
  }

  /** What the app left on its cluster is followed on; what is in the queue there stays as it is. */
  #followOn(row: RunRow): void {
    const { runs } = this.#context
    if (this.#closing || !isLeftOnCluster(row)) return
    runs.update(row.id, { state: 'queued', reason: null, queue_position: runs.endOfQueue() })
    this.schedule()
  }

  async #recover(row: RunRow): Promise<void> {
    while (await stillRuns(row)) {
      if (this.#closing) return
      await sleep(250)
    }
    const { engine, runs } = this.#context
    if (row.kind === 'export' && existsSync(row.folder))
      return await this.#books.write(row.id, { state: 'done', reason: null }, () =>
        settleExport(this.#context, this.#library, row),
      )
    const reason = leftReasons.ended
    const interrupted = { state: 'interrupted', reason } as const
    if (!isRunFolder(row.folder)) {
      const end = { ...interrupted, finished: Date.now(), pid: null }
      return await this.#books.write(row.id, interrupted, () => runs.update(row.id, end))
    }
    for (;;) {
      const report = await engine.request('readRunFolder', { path: row.folder })
      if (report.state !== 'running') {
        const shown = report.state === 'done' ? ({ state: 'done', reason: null } as const) : interrupted
        return await this.#books.write(row.id, shown, () =>
          settleFromFolder(this.#context, this.#library, row, report, reason),
        )
      }
      if (this.#closing) return
      await sleep(250)
    }
  }

  /** Stops every process with its state saved. */
  async close(): Promise<void> {
    this.#closing = true
    this.#sampler.stop()
    this.#books.close()
    await this.#scheduling
    for (const process of this.#processes.values()) process.stop('close')
    await Promise.all(this.#settling)
    showOnPlatform(this.#context, this.#processes)
  }
}
