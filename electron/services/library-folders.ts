import { mkdir, realpath, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type FoundModels, foundModelSchema } from '../../engine/contract/index.ts'
import { isWithin } from '../../engine/shared/allowed-folders.ts'
import { type LibraryFolders as Folders, type Offer, type ScanReport, scanReportSchema } from '../contract/index.ts'
import type { CheckpointRow } from '../database/checkpoints.ts'
import { FoundModelStore, type LibraryFolderRow, LibraryFolderStore } from '../database/library-folders.ts'
import { notFound, ProblemError, toProblem, wasAborted } from '../problems.ts'
import { requireAllowed } from './allowed-paths.ts'
import type { Context } from './context.ts'
import { driveOf, isHere, isMounted, mountOf } from './drives.ts'
import type { Handlers } from './handlers.ts'
import { librarySpace } from './library-space.ts'
import { Passes } from './passes.ts'

const noReport: ScanReport = { models: 0, unusableCount: 0, unusable: [], truncated: false, problem: null }

type Seen = FoundModels['folders']

/** Folders of the library on any number of drives, and models that are found in those that are watched. */
export class LibraryFolders {
  readonly #context: Context
  readonly #folders: LibraryFolderStore
  readonly #found: FoundModelStore
  /** Folders that were looked through, by the watched folder that they are in; none where a look is due. */
  readonly #seen = new Map<number, Seen>()
  readonly #wasHere = new Map<string, boolean>()
  readonly #passes = new Passes(() => this.#scanDue())

  constructor(context: Context) {
    this.#context = context
    this.#folders = new LibraryFolderStore(context.db)
    this.#found = new FoundModelStore(context.db)
  }

  readonly handlers: Handlers<keyof Handlers & `libraryFolders.${string}`> = {
    'libraryFolders.get': () => this.#get(),
    'libraryFolders.add': ({ path, use }) => this.add(path, use),
    'libraryFolders.remove': ({ id }) => {
      if (!this.#folders.get(id)) throw notFound('folder', id)
      this.#folders.remove(id)
      this.#seen.delete(id)
      this.#context.emit('libraryFolders', {})
      return undefined
    },
    'libraryFolders.scan': async () => {
      this.#seen.clear()
      await this.#passes.ask()
      return undefined
    },
    'libraryFolders.offers': () => this.#offers(),
    'libraryFolders.dismiss': ({ ids, dismissed }) => {
      this.#found.updateAll(ids, { dismissed: Number(dismissed) })
      this.#context.emit('libraryFolders', {})
      return undefined
    },
    'libraryFolders.drive': ({ path }) => driveOf(path),
  }

  /**
   * Adds a folder that is there.
   *
   * @returns its path with links followed, as it is listed
   * @throws ProblemError where it is none, or models in it would be found twice
   */
  async add(given: string, use: LibraryFolderRow['use']): Promise<{ path: string }> {
    if (use === 'kept') await mkdir(resolve(given), { recursive: true })
    const path = await realpath(resolve(given))
    await requireAllowed(this.#context.options.platform, [path])
    if (!(await stat(path)).isDirectory())
      throw new ProblemError('bad-file', `${given} is a file, not a folder.`, { file: given, field: 'path' })
    const others = this.#folders.all(use)
    if (others.some((other) => other.path === path)) return { path }
    const above = use === 'watched' && others.find((other) => isWithin(path, [other.path]))
    if (above)
      throw new ProblemError('conflict', `${path} is in ${above.path}, which is watched already.`, { field: 'path' })
    for (const other of others) if (use === 'watched' && isWithin(other.path, [path])) this.#folders.remove(other.id)
    this.#folders.insert({ path, use, mount: await mountOf(path), scanned: null, report: null })
    this.#context.emit('libraryFolders', {})
    if (use === 'watched') this.#context.inBackground(this.#passes.ask())
    return { path }
  }

  /** A model at that place is offered no more, since it was just taken out of the library. */
  dismissAt(path: string): void {
    this.#found.dismissAt(path)
  }

  /**
   * Whether a checkpoint is on a drive that is not here, or in a folder of the library that is not. A drive is asked once by
   * each function that this returns.
   */
  awayness(): (row: CheckpointRow) => Promise<boolean> {
    const asked = new Map<string, Promise<boolean>>()
    const once = (key: string, ask: () => Promise<boolean>) => {
      if (!asked.has(key)) asked.set(key, ask())
      return asked.get(key)!
    }
    const folders = [...this.#folders.all('kept'), ...this.#folders.all('watched')]
    return async ({ path, mount }) => {
      if (mount !== null && !(await once(mount, () => isMounted(mount)))) return true
      const around = folders.find((folder) => isWithin(path, [folder.path]))
      return around !== undefined && !(await once(around.path, () => isHere(around.path, around.mount)))
    }
  }

  /**
   * Looks whether drives came or went, and whether something changed in watched folders; looks through those again.
   *
   * @returns whether a drive came or went
   */
  async look(): Promise<boolean> {
    let moved = false
    const note = (what: string, here: boolean) => {
      moved ||= (this.#wasHere.get(what) ?? here) !== here
      this.#wasHere.set(what, here)
    }
    for (const mount of this.#context.checkpoints.mounts()) note(mount, await isMounted(mount))
    for (const row of [...this.#folders.all('watched'), ...this.#folders.all('kept')]) {
      const here = await isHere(row.path, row.mount)
      note(`folder ${row.id}`, here)
      if (row.use === 'watched' && (!here || (await this.#hasChanged(row)))) this.#seen.delete(row.id)
    }
    if (moved) this.#context.emit('libraryFolders', {})
    await this.#passes.ask()
    return moved
  }

  async #hasChanged({ id }: LibraryFolderRow): Promise<boolean> {
    for (const { path, modifiedMs } of this.#seen.get(id) ?? []) {
      const now = await stat(path).catch(() => null)
      if (now?.mtimeMs !== modifiedMs) return true
    }
    return false
  }

  /** Looks through the watched folders that it has not looked through since they changed. */
  async #scanDue(): Promise<void> {
    for (const row of this.#folders.all('watched')) if (!this.#seen.has(row.id)) await this.#scan(row)
  }

  async #scan(row: LibraryFolderRow): Promise<void> {
    if (!(await isHere(row.path, row.mount))) return
    const { engine, options, tasks, emit } = this.#context
    try {
      await requireAllowed(options.platform, [row.path])
      const { models, folders, unsettled, ...rest } = await tasks.run(
        { kind: 'scan', title: `Looking for models in ${row.path}`, subject: null },
        (control) => engine.request('findModels', { folder: row.path }, control),
      )
      if (!this.#folders.get(row.id)) return
      const facts = models.map((model) => ({ path: model.path, facts: JSON.stringify(model) }))
      this.#found.enter(row.id, facts, !rest.truncated)
      this.#note(row.id, { ...rest, models: models.length, problem: null })
      // What is still being copied is looked at again the next time.
      if (unsettled) this.#seen.delete(row.id)
      else this.#seen.set(row.id, folders)
    } catch (error) {
      // Cancelled, it is done again when it is asked for, or when something changes.
      this.#seen.set(row.id, [])
      if (!wasAborted(error) && this.#folders.get(row.id))
        this.#note(row.id, { ...noReport, problem: toProblem(error).message })
    }
    emit('libraryFolders', {})
  }

  #note(id: number, report: ScanReport): void {
    this.#folders.update(id, { scanned: Date.now(), report: JSON.stringify(report) })
  }

  async #get(): Promise<Folders> {
    const { checkpoints, settings } = this.#context
    const standard = settings().checkpointsFolder
    const kept = this.#folders.all('kept').filter(({ path }) => path !== standard)
    return {
      kept: await Promise.all(
        [{ id: null, path: standard, mount: null }, ...kept].map(async ({ id, path, mount }) => {
          const here = id === null || (await isHere(path, mount))
          return { id, path, isHere: here, drive: here ? await driveOf(path) : null }
        }),
      ),
      watched: await Promise.all(this.#folders.all('watched').map((row) => watchedOf(row))),
      drives: await librarySpace(checkpoints.all(), [standard, ...kept.map(({ path }) => path)]),
    }
  }

  async #offers(): Promise<Offer[]> {
    const here = new Set<number>()
    for (const { id, path, mount } of this.#folders.all('watched')) if (await isHere(path, mount)) here.add(id)
    return this.#found.outsideLibrary().flatMap(({ id, folder_id, facts, dismissed }) => {
      if (!here.has(folder_id)) return []
      return [{ ...foundModelSchema.parse(JSON.parse(facts)), id, dismissed: dismissed === 1 }]
    })
  }
}

async function watchedOf({ id, path, mount, scanned, report }: LibraryFolderRow): Promise<Folders['watched'][number]> {
  const known = report === null ? null : scanReportSchema.safeParse(JSON.parse(report))
  return { id, path, isHere: await isHere(path, mount), scanned, ...(known?.data ?? noReport) }
}
