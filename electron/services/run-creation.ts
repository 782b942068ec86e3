import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { basename, join, posix, resolve } from 'node:path'
import { type ClusterSettings, type DataCheck, type Job, jobSchema, parseBudget } from '../../engine/contract/index.ts'
import type { BackgroundTask, ParsedRequest } from '../contract/index.ts'
import { emptyRow, type RunRow } from '../database/runs.ts'
import { ProblemError } from '../problems.ts'
import type { Context } from './context.ts'
import { pathsOfJob, requireJobAllowed } from './job-paths.ts'
import { placeOfExport } from './export-place.ts'
import { exists } from './files.ts'
import type { Library } from './library.ts'
import { machineOf } from './machine.ts'
import { freeRunFolder, nextName, slug } from './run-names.ts'
import type { RunQueue } from './run-queue.ts'
import { checkpointPathOf, clusterOf, restingStates, rowOf } from './run-summary.ts'
import { settingsOf } from './run-values.ts'

/** Makes runs of what is asked: checks the job, enters it into the database and queues it. */
export class RunCreation {
  readonly #context: Context
  readonly #library: Library
  readonly #queue: RunQueue

  constructor(context: Context, library: Library, queue: RunQueue) {
    this.#context = context
    this.#library = library
    this.#queue = queue
  }

  /** The job with what the settings say and, where it names none, the folder that the run would get. */
  async jobOf({ job, name, folder }: ParsedRequest<'runs.create'>): Promise<Job> {
    const kind = typeof job['kind'] === 'string' ? job['kind'] : 'run'
    const empty = job['out'] === undefined || job['out'] === ''
    const out = empty ? await this.#freePlace(kind, name, job, folder) : undefined
    const machine = machineOf(this.#context.settings())
    // Nodes of a cluster are other machines than this one.
    const isElsewhere = kind === 'merge' || kind === 'sweep' || job['cluster'] !== undefined
    const parsed = jobSchema.parse({ ...(isElsewhere ? {} : machine), ...job, ...(out && { out }) })
    if (parsed.kind === 'sweep' && !parsed.cluster) parsed.base = { ...machine, ...parsed.base }
    if ('cluster' in parsed && parsed.cluster?.remote !== undefined && out !== undefined)
      // A folder of the same name in that of the cluster.
      parsed.cluster.remote = posix.join(parsed.cluster.remote, basename(out))
    await requireJobAllowed(this.#context.options.platform, parsed)
    return parsed
  }

  async #freePlace(
    kind: string,
    name: string | undefined,
    job: Record<string, unknown>,
    within = this.#context.settings().runsFolder,
  ): Promise<string> {
    if (kind === 'export') return await placeOfExport(this.#context, job)
    const folder = await freeRunFolder(this.#context, join(within, slug(name ?? kind)))
    // A merge writes its checkpoint where the others have a run folder.
    return kind === 'merge' ? join(folder, 'output') : folder
  }

  /** What the files of a job hold. The engine remembers what it has found of files that are as they were. */
  async check(job: Job, kind: BackgroundTask['kind']): Promise<DataCheck> {
    const { engine, tasks } = this.#context
    return await tasks.run({ kind, title: 'Checking the data of a new run', subject: null }, (control) =>
      engine.request('checkData', { job }, control),
    )
  }

  /**
   * Queues a run whose files the job can use.
   *
   * @returns its id
   * @throws ProblemError with the first thing that is wrong with them
   */
  async create(input: ParsedRequest<'runs.create'>): Promise<number> {
    const job = await this.jobOf(input)
    if (input.parentId !== undefined) rowOf(this.#context, input.parentId)
    await checkInputs(job)
    this.#library.moves.requireStill(pathsOfJob(job).map(({ path }) => path))
    // What cannot be said in the format, and a place that cannot be written, are known from headers.
    if (job.kind === 'export') await this.#context.engine.request('estimate', { job })
    const { problems } = await this.check(job, 'check')
    if (problems[0]) throw ProblemError.of(problems[0])
    const checkpoint = await this.#library.add(job.checkpoint, 'in-place')
    if ('adapter' in job && job.adapter !== undefined) await this.#library.add(job.adapter, 'in-place')
    const name = input.name ?? this.#freeName(nameOfRun(job, checkpoint.name))
    return this.#insert(job, name, checkpoint, input.parentId ?? null)
  }

  /** A name that was not asked for is one that no other run has. */
  #freeName(name: string): string {
    let free = name
    while (this.#context.runs.isNamed(free)) free = nextName(free)
    return free
  }

  #insert(job: Job, name: string, checkpoint: { id: number; name: string }, parentId: number | null): number {
    const { db, runs } = this.#context
    const out = resolve(job.out ?? '')
    const folder = job.kind === 'merge' && out.endsWith('output') ? join(out, '..') : out
    const other = runs.byFolder(folder)
    // The file of an export that was cancelled, or was deleted since, may be written anew.
    const isLeft = job.kind === 'export' && other?.kind === 'export' && restingStates.includes(other.state)
    if (other && !isLeft)
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

  /** Queues the same job again, in a new folder; an export in its old place where nothing is there. @returns the id of the new run */
  async retry(row: RunRow): Promise<number> {
    const { out, ...stored } = JSON.parse(row.job) as Record<string, unknown>
    const settings = { ...stored, checkpoint: checkpointPathOf(this.#context, row) ?? stored['checkpoint'] }
    const again = row.kind === 'export' && typeof out === 'string' && !(await exists(out))
    const job = { ...settings, ...(again ? { out } : clusterOfRetry(row)) }
    return await this.create({ name: nextName(row.name), job, parentId: row.id })
  }
}

/** What is tried again gets a new folder on its cluster, beside its last one. */
function clusterOfRetry(row: RunRow): { cluster?: ClusterSettings } {
  const cluster = clusterOf(row)
  return cluster?.remote === undefined ? {} : { cluster: { ...cluster, remote: posix.dirname(cluster.remote) } }
}

/** What a run is called that was given no name; its checkpoint is called the same. */
function nameOfRun(job: Job, checkpoint: string): string {
  switch (job.kind) {
    case 'export':
      return `${checkpoint} as ${formOf(job)}`
    case 'prune':
      return `${checkpoint}, pruned${amountOf(job)}`
    case 'finetune':
      return `${checkpoint}, fine-tuned`
    case 'merge':
      return `${checkpoint}, merged`
    case 'evaluate':
      return `Evaluation of ${checkpoint}`
    case 'sweep':
      return `Sweep of ${checkpoint}`
  }
}

/** How much is pruned, where that is a share. */
function amountOf({ budget, targetFraction, targetParameters, ratio }: Extract<Job, { kind: 'prune' }>): string {
  const spent = budget === undefined ? null : parseBudget(budget)
  if (spent?.unit === 'share') return ` to ${percentOf(spent.value)}`
  if (targetFraction !== undefined) return ` to ${percentOf(targetFraction)}`
  return spent || targetParameters !== undefined ? '' : ` ${percentOf(ratio)}`
}

const percentOf = (fraction: number) => `${Number((100 * fraction).toFixed(1))}%`

/** What is written, in a few words. */
const formOf = (job: Extract<Job, { kind: 'export' }>): string => {
  if (job.format === 'gguf') return `GGUF, ${job.type}`
  return [job.format, ...(job.dtype === 'same' ? [] : [job.dtype])].join(', ')
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
