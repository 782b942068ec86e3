import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { selfDataFiles } from '../../engine/contract/index.ts'
import type { ParsedRequest, RunSummary } from '../contract/index.ts'
import type { RunRow } from '../database/runs.ts'
import { ProblemError } from '../problems.ts'
import { requireAllowed, requireAllowedWithin } from './allowed-paths.ts'
import { cancelOnCluster } from './clusters.ts'
import type { Context } from './context.ts'
import { exists } from './files.ts'
import type { Handlers } from './handlers.ts'
import { putMetricsOfEvaluated } from './joined-scores.ts'
import type { Library } from './library.ts'
import { RunCreation } from './run-creation.ts'
import type { RunQueue } from './run-queue.ts'
import { removeFiles } from './run-removal.ts'
import { changedJob, type ResumeChanges } from './resume-changes.ts'
import { tagRuns } from './run-tags.ts'
import {
  busyStates,
  clusterOf,
  detailOf,
  outlinesOf,
  restingStates,
  rowOf,
  summaryOf,
  sweepAbove,
} from './run-summary.ts'

type RunMethod = keyof Handlers & `runs.${string}`
/** Those of run-transfer.ts. */
type Transfer = 'runs.export' | 'runs.importArchive' | 'runs.importFolder'

/** Everything that is asked of runs; the queue does the work. */
export class Runs {
  readonly #context: Context
  readonly #creation: RunCreation
  readonly #queue: RunQueue
  /** Runs whose layers have been timed: their budgets of time are planned at once. */
  readonly #timed = new Set<number>()

  constructor(context: Context, library: Library, queue: RunQueue) {
    this.#context = context
    this.#creation = new RunCreation(context, library, queue)
    this.#queue = queue
  }

  readonly handlers: Handlers<Exclude<RunMethod, Transfer>> = {
    'runs.estimate': async (input) => {
      const job = await this.#creation.jobOf(input)
      return await this.#context.engine.request('estimate', { job, releasableBytes: this.#queue.releasableBytes })
    },
    'runs.check': async (input) => await this.#creation.check(await this.#creation.jobOf(input), 'count'),
    'runs.plan': (lists) => this.#context.engine.request('planSweep', lists),
    'runs.budgets': (input) => this.#budgets(input),
    'runs.create': async (input) => this.announce(await this.#creation.create(input)),
    'runs.active': () => {
      const { runs } = this.#context
      return runs.inStates(['queued', ...busyStates]).map((row) => summaryOf(row, runs))
    },
    'runs.get': ({ id }) => detailOf(rowOf(this.#context, id), this.#context),
    'runs.pause': ({ id }) => this.#stop(rowOf(this.#context, id), 'pause'),
    'runs.cancel': async ({ id }) => {
      const row = rowOf(this.#context, id)
      // Left on its cluster by an app that was closed, or by a scheduler that did not answer.
      if (row.state === 'interrupted' && clusterOf(row)) await cancelOnCluster(this.#context, row)
      return this.#stop(rowOf(this.#context, id), 'cancel')
    },
    'runs.resume': ({ id, ...changes }) => this.#resume(id, changes),
    'runs.retry': async ({ id }) => this.announce(await this.#creation.retry(rowOf(this.#context, id))),
    'runs.move': ({ id, position }) => {
      rowOf(this.#context, id)
      const { db, runs } = this.#context
      const order = runs.queued().map((row) => row.id)
      if (!order.includes(id)) throw new ProblemError('conflict', 'This run does not wait in the queue.')
      const others = order.filter((other) => other !== id)
      others.splice(position, 0, id)
      db.transaction(() => {
        for (const [place, other] of others.entries()) runs.update(other, { queue_position: place + 1 })
      })()
      this.#context.emit('runsChanged', { ids: others })
      return undefined
    },
    'runs.update': ({ id, tags, ...changes }) => {
      rowOf(this.#context, id)
      const { db, runs } = this.#context
      db.transaction(() => {
        runs.update(id, changes)
        if (tags) runs.tags.set(id, tags)
        runs.index(id)
      })()
      return this.announce(id)
    },
    'runs.tag': (input) => tagRuns(this.#context, input),
    'runs.tagsOf': ({ ids }) => this.#context.runs.tags.counts(ids).map(({ tag, count }) => ({ tag, runs: count })),
    'runs.archive': ({ ids, archived }) => {
      this.#all(ids, { archived: Number(archived) })
      return undefined
    },
    'runs.remove': async ({ ids: asked, files }) => {
      // The runs of a sweep lie in its folder, and go where that goes.
      const ids = files === 'trash' ? this.#context.runs.withRunsOfSweeps(asked) : asked
      await removeFiles(this.#context, outlinesOf(this.#context, ids), files)
      this.#all(ids, { removed: Date.now() })
      putMetricsOfEvaluated(this.#context, ids)
      return undefined
    },
    'runs.restore': ({ ids }) => {
      this.#all(ids, { removed: null })
      putMetricsOfEvaluated(this.#context, ids)
      return undefined
    },
    'runs.series': ({ id, names, from, to, points }) => {
      rowOf(this.#context, id)
      return this.#context.runs.metrics.series(id, {
        points,
        ...(names && { names }),
        ...(from !== undefined && { from }),
        ...(to !== undefined && { to }),
      })
    },
    'runs.snapshot': ({ id, step }) => {
      rowOf(this.#context, id)
      return this.#context.runs.records.snapshot(id, step)
    },
    'runs.samples': ({ id }) => {
      rowOf(this.#context, id)
      return this.#context.runs.records.samples(id)
    },
    'runs.selfData': (input) => this.#selfData(input),
    'runs.load': ({ id }) => {
      rowOf(this.#context, id)
      return this.#context.runs.load.of(id)
    },
    'runs.log': ({ id, level, before, limit }) => {
      rowOf(this.#context, id)
      return this.#context.runs.records.log(id, { level, limit, ...(before && { before }) })
    },
    'runs.sweep': async ({ id }) => {
      const { engine, runs } = this.#context
      const state = await engine.request('readSweep', { path: await this.#sweepFolder(id) })
      return {
        ...state,
        runs: state.runs.map((run) => {
          const row = runs.byFolder(run.folder)
          return { ...run, runId: row && row.removed === null ? row.id : null }
        }),
      }
    },
    'runs.sweepText': async ({ id, as }) =>
      this.#context.engine.request('reportSweep', { path: await this.#sweepFolder(id), as }),
  }

  async #budgets({ id, ...plan }: ParsedRequest<'runs.budgets'>) {
    const { engine, options, tasks } = this.#context
    const { folder, job, name } = detailOf(rowOf(this.#context, id), this.#context)
    if (job.kind !== 'prune') throw new ProblemError('bad-setting', `${name} is no pruning.`, { field: 'id' })
    await requireAllowed(options.platform, [folder, job.checkpoint])
    const asked = { run: folder, ...plan }
    if (!plan.speed || this.#timed.has(id)) return await engine.request('planBudgets', asked)
    const about = { kind: 'measure', title: `Timing the layers of ${name}`, subject: { kind: 'run', id } } as const
    const planned = await tasks.run(about, (control) => engine.request('planBudgets', asked, control))
    this.#timed.add(id)
    return planned
  }

  /** Rows that the dense model wrote, which are none before it has begun. */
  async #selfData({ id, ...page }: ParsedRequest<'runs.selfData'>) {
    const { engine, options } = this.#context
    const { folder, job } = detailOf(rowOf(this.#context, id), this.#context)
    const path = join(folder, selfDataFiles.rows)
    if (!('selfData' in job) || !(await exists(path))) return { rows: [], total: null }
    await requireAllowed(options.platform, [path, job.checkpoint])
    const { checkpoint, trainOn, field } = job
    const asked = { path, checkpoint, trainOn, ...(field !== undefined && { field }), ...page }
    const { rows, more } = await engine.request('previewDataset', asked)
    return { rows, total: more ? null : page.offset + rows.length }
  }

  /** @throws ProblemError where the run is no sweep, or has not begun, so that its folder says nothing yet. */
  async #sweepFolder(id: number): Promise<string> {
    const { folder, kind, name } = rowOf(this.#context, id)
    if (kind !== 'sweep') throw new ProblemError('bad-setting', `${name} is no sweep.`, { field: 'id' })
    if (!(await exists(join(folder, 'run.json'))))
      throw new ProblemError('not-found', `${name} has not begun: there is nothing in ${folder} yet.`, { file: folder })
    await requireAllowedWithin(this.#context.options.platform, [folder])
    return await realpath(folder)
  }

  /** Tells every listener how a run stands, and returns it. */
  announce(id: number): RunSummary {
    this.#queue.announce(id)
    return summaryOf(rowOf(this.#context, id), this.#context.runs)
  }

  /** Changes many runs at once. */
  #all(ids: readonly number[], changes: Partial<RunRow>): void {
    const { runs, emit } = this.#context
    outlinesOf(this.#context, ids)
    runs.updateAll(ids, changes)
    emit('runsChanged', { ids: [...ids] })
  }

  #stop(row: RunRow, intent: 'pause' | 'cancel'): RunSummary {
    const { runs } = this.#context
    this.#refuseAlone(row)
    const target = intent === 'pause' ? 'paused' : 'cancelled'
    const process = this.#queue.process(row.id)
    if (process) {
      process.stop(intent)
      runs.update(row.id, { state: 'stopping' })
    } else if (row.state === 'queued' || row.state === 'starting') {
      runs.update(row.id, { state: target })
    } else if (
      intent === 'cancel' &&
      restingStates.includes(row.state) &&
      row.state !== 'done' &&
      row.state !== 'failed'
    ) {
      runs.update(row.id, { state: 'cancelled' })
    } else if (!busyStates.includes(row.state)) {
      throw new ProblemError('conflict', `${row.name} does not run: it is ${row.state}.`)
    }
    return this.announce(row.id)
  }

  /** @throws ProblemError for a run of a sweep on a cluster, which the sweep alone starts and ends */
  #refuseAlone(row: RunRow): void {
    const above = sweepAbove(row, this.#context.runs)
    if (!above) return
    throw new ProblemError('conflict', `${row.name} is a run of a sweep on a cluster: say it to ${above.name}.`)
  }

  async #resume(id: number, changes: ResumeChanges): Promise<RunSummary> {
    const { runs } = this.#context
    // What comes after is done at once: another request may have begun it by then.
    const job = await changedJob(this.#context, rowOf(this.#context, id), changes)
    const row = rowOf(this.#context, id)
    this.#refuseAlone(row)
    if (runs.unwritten.has(row.id))
      throw new ProblemError('conflict', `${row.name} is ${row.state} and cannot be resumed yet. ${row.reason ?? ''}`)
    if (!summaryOf(row, runs).resumable)
      throw new ProblemError(
        'conflict',
        row.state === 'failed'
          ? `${row.name} has no saved state to go on from: try it again instead.`
          : `${row.name} cannot be resumed: it is ${row.state}.`,
      )
    this.#queue.noteAsked(row.id)
    runs.update(row.id, { job, state: 'queued', reason: null, queue_position: runs.endOfQueue() })
    this.#queue.schedule()
    return this.announce(row.id)
  }
}
