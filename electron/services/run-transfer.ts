import { realpath, rm, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import type { ParsedRequest, RunSummary } from '../contract/index.ts'
import { ProblemError } from '../problems.ts'
import { requireAllowed, requireAllowedWithin } from './allowed-paths.ts'
import type { Context } from './context.ts'
import { exists, freeName } from './files.ts'
import type { Handlers } from './handlers.ts'
import type { Library } from './library.ts'
import { type Manifest, packRun, unpackRun } from './run-archive.ts'
import { enterFolder } from './run-folders.ts'
import { freeRunFolder, slug } from './run-names.ts'
import { busyStates, rowOf } from './run-summary.ts'
import type { Runs } from './runs.ts'

const extension = '.secateur-run.tar.gz'
/** Lines of a log that go into an archive. */
const loggedLines = 50_000
/** Lines that are written at once. */
const logSlice = 1000

/** Runs that come from, or go to, other computers and the command line. */
export class RunTransfer {
  readonly #context: Context
  readonly #library: Library
  readonly #runs: Runs

  constructor(context: Context, library: Library, runs: Runs) {
    this.#context = context
    this.#library = library
    this.#runs = runs
  }

  readonly handlers: Handlers<'runs.export' | 'runs.importArchive' | 'runs.importFolder'> = {
    'runs.export': (input) => this.#export(input),
    'runs.importArchive': ({ path }) => this.#importArchive(path),
    'runs.importFolder': ({ path }) => this.#importFolder(path),
  }

  async #export({ id, to, includeOutput }: ParsedRequest<'runs.export'>): Promise<string> {
    const { runs, tasks } = this.#context
    const row = rowOf(this.#context, id)
    if (busyStates.includes(row.state))
      throw new ProblemError('in-use', `${row.name} is ${row.state}: pause it first, so that its state is saved.`)
    if (row.kind === 'export')
      throw new ProblemError(
        'unsupported',
        `${row.name} has no run folder: what it wrote is ${row.folder}; copy that.`,
        {
          file: row.folder,
        },
      )
    if (!(await exists(row.folder)))
      throw new ProblemError('bad-file', `${row.folder} does not exist: the run cannot be exported.`, {
        file: row.folder,
      })
    await requireAllowedWithin(this.#context.options.platform, [row.folder])
    const target = resolve(to)
    const found = await stat(target).catch(() => null)
    if (found?.isFile())
      throw new ProblemError('conflict', `${target} exists already: choose another name.`, { file: target })
    const file = found ? await freeName(join(target, slug(row.name)), extension) : target
    const log: Manifest['log'] = []
    for (const { id: _, ...line } of runs.records.log(id, { level: 'all', limit: loggedLines })) log.push(line)
    const { name, notes, created, started, finished } = row
    const tags = runs.tags.of(id)
    const manifest = { format: 'secateur-run', version: 1, name, notes, tags, created, started, finished, log } as const
    await tasks.run({ kind: 'export', title: `Packing ${name}`, subject: { kind: 'run', id } }, (control) =>
      packRun(row.folder, manifest, file, { includeOutput }, control),
    )
    return file
  }

  async #importArchive(path: string): Promise<RunSummary> {
    const { db, options, runs, settings, tasks } = this.#context
    const archive = resolve(path)
    const folder = await freeRunFolder(
      this.#context,
      join(settings().runsFolder, slug(basename(archive).split('.')[0] ?? 'run')),
    )
    await requireAllowed(options.platform, [folder])
    const manifest = await tasks.run(
      { kind: 'import', title: `Unpacking ${basename(archive)}`, subject: null },
      (control) => unpackRun(archive, folder, control),
    )
    const { id } = await this.#importFolder(folder, manifest.name).catch(async (error: unknown) => {
      await rm(folder, { recursive: true, force: true })
      throw error
    })
    const { name, notes, tags, created, started, finished, log } = manifest
    db.transaction(() => {
      runs.update(id, { name, notes, created, started, ...(finished !== null && { finished }) })
      runs.tags.set(id, tags)
      runs.index(id)
    })()
    for (let start = 0; start < log.length; start += logSlice) {
      db.transaction(() => {
        runs.records.addMissingLog(id, log.slice(start, start + logSlice))
      })()
      await setImmediate()
    }
    return this.#runs.announce(id)
  }

  /**
   * Takes a run folder into the history that the command line, or another computer, wrote.
   *
   * @param name of the run, and of the checkpoint that it wrote; that of the folder unless it is given
   */
  async #importFolder(path: string, name?: string): Promise<RunSummary> {
    const { engine, runs } = this.#context
    const folder = await realpath(resolve(path))
    await requireAllowedWithin(this.#context.options.platform, [folder])
    const report = await engine.request('readRunFolder', { path: folder })
    if (report.state === 'running')
      throw new ProblemError('in-use', `A process is writing ${folder} right now: import it when it has ended.`, {
        file: folder,
      })
    const known = runs.byFolder(folder)
    if (known) {
      if (known.removed !== null) {
        runs.update(known.id, { removed: null })
        this.#context.emit('runsChanged', { ids: [known.id] })
      }
      return this.#runs.announce(known.id)
    }
    return this.#runs.announce(
      await enterFolder(this.#context, this.#library, folder, report, { ...(name !== undefined && { name }) }),
    )
  }
}
