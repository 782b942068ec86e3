import { constants } from 'node:fs'
import { access, realpath } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type Job, jobSchema } from '../../engine/contract/index.ts'
import type { ParsedRequest, RunSummary } from '../contract/index.ts'
import { emptyRow, type RunOutline, type RunRow } from '../database/runs.ts'
import { notFound, ProblemError } from '../problems.ts'
import { requireAllowed } from './allowed-paths.ts'
import type { Context } from './context.ts'
import { exists } from './files.ts'
import type { Handlers } from './handlers.ts'
import { pathsOfJob } from './job-paths.ts'
import type { Library } from './library.ts'
import type { RunQueue } from './run-queue.ts'
import { busyStates, detailOf, restingStates, summaryOf } from './run-summary.ts'
import { settingsOf } from './run-values.ts'

type RunMethod = keyof Handlers & `runs.${string}`
/** Those of run-transfer.ts. */
type Transfer = 'runs.export' | 'runs.importArchive' | 'runs.importFolder'

/** Everything that is asked of runs; the queue does the work. */
export class Runs {
  readonly #context: Context
  readonly #library: Library
  readonly #queue: RunQueue

  constructor(context: Context, library: Library, queue: RunQueue) {
    this.#context = context
    this.#library = library
    this.#queue = queue
  }

  readonly handlers: Handlers<Exclude<RunMethod, Transfer>> = {
    'runs.estimate': async (input) => {
      const job = await this.#jobOf(input)
      return await this.#context.engine.request('estimate', { job })
    },
    'runs.plan': (lists) => this.#context.engine.request('planSweep', lists),
    'runs.create': (input) => this.#create(input),
    'runs.active': () => {
      const { runs } = this.#context
      return runs.inStates(['queued', ...busyStates]).map((row) => summaryOf(row, runs))
    },
    'runs.get': ({ id }) => detailOf(this.row(id), this.#context.runs),
    'runs.pause': ({ id }) => this.#stop(this.row(id), 'pause'),
    'runs.cancel': ({ id }) => this.#stop(this.row(id), 'cancel'),
    'runs.resume': ({ id }) => this.#resume(this.row(id)),
    'runs.retry': ({ id }) => this.#retry(this.row(id)),
    'runs.move': ({ id, position }) => {
      this.row(id)
      const { db, runs } = this.#context
      const order = runs.queued().map((row) => row.id)
      if (!order.includes(id)) throw new ProblemError('conflict', 'This run does not wait in the queue.')
      const others = order.filter((other) => other !== id)
      others.splice(position, 0, id)
      db.transaction(() => {
        for (const [place, other] of others.entries()) runs.update(other, { queue_position: place + 1 })
      })()
      for (const other of others) this.#queue.tell(other)
      return undefined
    },
    'runs.update': ({ id, tags, ...changes }) => {
      this.row(id)
      const { db, runs } = this.#context
      db.transaction(() => {
        runs.update(id, changes)
        if (tags) runs.tags.set(id, tags)
        runs.index(id)
      })()
      return this.told(id)
    },
    'runs.archive': ({ ids, archived }) => {
      this.#all(ids, { archived: Number(archived) })
      return undefined
    },
    'runs.remove': ({ ids, files }) => this.#remove(ids, files),
    'runs.restore': ({ ids }) => {
      this.#all(ids, { removed: null })
      return undefined
    },
    'runs.series': ({ id, names, from, to, points }) => {
      this.row(id)
      return this.#context.runs.metrics.series(id, {
        points,
        ...(names && { names }),
        ...(from !== undefined && { from }),
        ...(to !== undefined && { to }),
      })
    },
    'runs.snapshot': ({ id, step }) => {
      this.row(id)
      return this.#context.runs.records.snapshot(id, step)
    },
    'runs.samples': ({ id }) => {
      this.row(id)
      return this.#context.runs.records.samples(id)
    },
    'runs.log': ({ id, after }) => {
      this.row(id)
      return this.#context.runs.records.log(id, after)
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

  /** @throws ProblemError where the run is no sweep, or has not begun, so that its folder says nothing yet. */
  async #sweepFolder(id: number): Promise<string> {
    const { folder, kind, name } = this.row(id)
    if (kind !== 'sweep') throw new ProblemError('bad-setting', `${name} is no sweep.`, { field: 'id' })
    if (!(await exists(join(folder, 'run.json'))))
      throw new ProblemError('not-found', `${name} has not begun: there is nothing in ${folder} yet.`, { file: folder })
    return await realpath(folder)
  }

  /** @throws ProblemError where it is not in the history */
  row(id: number): RunRow {
    const row = this.#context.runs.get(id)
    if (!row || row.removed !== null) throw notFound('run', id)
    return row
  }

  /** How a run stands, after everybody was told. */
  told(id: number): RunSummary {
    this.#queue.tell(id)
    return summaryOf(this.row(id), this.#context.runs)
  }

  /** Changes many runs at once. */
  #all(ids: readonly number[], changes: Partial<RunRow>): void {
    const { runs, emit } = this.#context
    this.#outlines(ids)
    runs.updateAll(ids, changes)
    emit('runsChanged', { ids: [...ids] })
  }

  /** @throws ProblemError where one of them is not there */
  #outlines(ids: readonly number[]): RunOutline[] {
    const found = this.#context.runs.outlines(ids)
    const known = new Set(found.map(({ id }) => id))
    const missing = ids.find((id) => !known.has(id))
    if (missing !== undefined) throw notFound('run', missing)
    return found
  }

  /** The job with what the settings say and, where it names none, the folder that the run would get. */
  async #jobOf({ job, name }: ParsedRequest<'runs.create'>): Promise<Job> {
    const { device, threads, runsFolder } = this.#context.settings()
    const kind = typeof job['kind'] === 'string' ? job['kind'] : 'run'
    const empty = job['out'] === undefined || job['out'] === ''
    const folder = empty ? await this.newFolder(join(runsFolder, slug(name ?? kind))) : undefined
    // A merge writes its checkpoint where the others have a run folder.
    const out = folder && (kind === 'merge' ? join(folder, 'output') : folder)
    const machine = { device, ...(threads === undefined ? {} : { threads }) }
    const asked = { ...(kind === 'merge' || kind === 'sweep' ? {} : machine), ...job, ...(out && { out }) }
    const parsed = jobSchema.parse(asked)
    if (parsed.kind === 'sweep') parsed.base = { ...machine, ...parsed.base }
    const paths = pathsOfJob(parsed).map(({ path }) => path)
    await requireAllowed(this.#context.options.platform, paths)
    return parsed
  }

  /** The path, or the first numbered one that neither the disk nor the history has. */
  async newFolder(path: string): Promise<string> {
    const { runs } = this.#context
    let free = path
    for (let number = 2; runs.byFolder(free) || (await exists(free)); number++) free = `${path}-${number}`
    return free
  }

  async #create(input: ParsedRequest<'runs.create'>): Promise<RunSummary> {
    const job = await this.#jobOf(input)
    if (input.parentId !== undefined) this.row(input.parentId)
    await checkInputs(job)
    const checkpoint = await this.#library.add(job.checkpoint, 'in-place')
    if ('adapter' in job && job.adapter !== undefined) await this.#library.add(job.adapter, 'in-place')
    const name = input.name ?? `${job.kind} ${checkpoint.name}`
    return this.told(this.#insert(job, name, checkpoint, input.parentId ?? null))
  }

  #insert(job: Job, name: string, checkpoint: { id: number; name: string }, parentId: number | null): number {
    const { db, runs } = this.#context
    const out = resolve(job.out ?? '')
    const folder = job.kind === 'merge' && out.endsWith('output') ? join(out, '..') : out
    if (runs.byFolder(folder))
      throw new ProblemError('conflict', `${folder} is the folder of another run: name a new one.`, { field: 'out' })
    const id = db.transaction(() => {
      const row = runs.insert({
        ...emptyRow,
        name,
        kind: job.kind,
        state: 'queued',
        folder,
        device: 'device' in job ? job.device : null,
        checkpoint_id: checkpoint.id,
        checkpoint_name: checkpoint.name,
        parent_id: parentId,
        created: Date.now(),
        job: JSON.stringify(job),
        queue_position: runs.endOfQueue(),
      })
      runs.putValues(row, 'setting', settingsOf(job))
      return row
    })()
    this.#queue.schedule()
    return id
  }

  #stop(row: RunRow, intent: 'pause' | 'cancel'): RunSummary {
    const { runs } = this.#context
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
    return this.told(row.id)
  }

  #resume(row: RunRow): RunSummary {
    const { runs } = this.#context
    if (!summaryOf(row, runs).resumable)
      throw new ProblemError(
        'conflict',
        row.state === 'failed'
          ? `${row.name} has no saved state to go on from: try it again instead.`
          : `${row.name} cannot be resumed: it is ${row.state}.`,
      )
    runs.update(row.id, { state: 'queued', reason: null, queue_position: runs.endOfQueue() })
    this.#queue.schedule()
    return this.told(row.id)
  }

  async #retry(row: RunRow): Promise<RunSummary> {
    const { out: _, ...job } = JSON.parse(row.job) as Record<string, unknown>
    return await this.#create({ name: nextName(row.name), job, parentId: row.id })
  }

  async #remove(ids: readonly number[], files: 'keep' | 'trash'): Promise<undefined> {
    const { runs, checkpoints, options, emit } = this.#context
    const outlines = this.#outlines(ids)
    for (const { name, state } of outlines)
      if (state === 'queued' || busyStates.includes(state))
        throw new ProblemError('in-use', `${name} is ${state}: cancel it first.`)
    if (files === 'trash') {
      const waiting = runs.inStates(['queued', ...busyStates, 'paused', 'interrupted'])
      for (const run of outlines) {
        const user = waiting.find(
          ({ id, checkpoint_id }) => id !== run.id && checkpoint_id !== null && checkpoint_id === run.output_id,
        )
        if (user) throw new ProblemError('in-use', `The output of ${run.name} is needed by the run ${user.name}.`)
      }
      for (const { folder, output_id } of outlines) {
        if (await exists(folder)) await options.platform.trash(folder)
        if (output_id === null) continue
        checkpoints.update(output_id, { status: 'missing' })
        emit('checkpoint', { id: output_id, removed: false })
      }
    }
    this.#all(ids, { removed: Date.now() })
    return undefined
  }
}

/** A name as the name of a file or folder. */
export const slug = (name: string): string =>
  name
    .normalize('NFKD')
    .replaceAll(/[^\w.-]+/g, '-')
    .replaceAll(/^[-.]+|[-.]+$/g, '')
    .slice(0, 60)
    .toLowerCase() || 'run'

/** `first` becomes `first (2)`, and that `first (3)`. */
function nextName(name: string): string {
  const numbered = / \((\d+)\)$/.exec(name)
  return numbered ? `${name.slice(0, numbered.index)} (${Number(numbered[1]) + 1})` : `${name} (2)`
}

/** Refuses at once what would fail when the run's turn comes. */
async function checkInputs(job: Job): Promise<void> {
  for (const { field, path, use } of pathsOfJob(job)) {
    if (use === 'written') continue
    try {
      await access(path, constants.R_OK)
    } catch {
      throw new ProblemError('bad-file', `${path} does not exist or may not be read.`, { file: path, field })
    }
  }
}
