import { realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { isWithin } from '../../engine/shared/allowed-folders.ts'
import type { CheckpointSummary, ParsedRequest } from '../contract/index.ts'
import type { CheckpointRow } from '../database/checkpoints.ts'
import type { RunRow } from '../database/runs.ts'
import { notFound, ProblemError } from '../problems.ts'
import { requireAllowed, requireAllowedWithin } from './allowed-paths.ts'
import { detailOf, summaryOfCheckpoint } from './checkpoint-detail.ts'
import {
  copyCheckpoint,
  dtypeOf,
  folderOf,
  inspectionOf,
  ownPaths,
  sameFiles,
  statusOf,
  tokenizerOf,
} from './checkpoint-files.ts'
import { CheckpointHashing } from './checkpoint-hashing.ts'
import { refuseTwin } from './checkpoint-twins.ts'
import type { Context } from './context.ts'
import { freeName } from './files.ts'
import { freeExportPlace } from './export-place.ts'
import type { Handlers } from './handlers.ts'
import { pathsOfJob } from './job-paths.ts'
import { lineageOf } from './lineage.ts'

type LibraryMethod = keyof Handlers & `library.${string}`

/** Checkpoints and adapters on disk that the app knows of. */
export class Library {
  readonly #context: Context
  readonly #hashing: CheckpointHashing
  /** Lets go of files that are moved to the trash, or refuses. */
  beforeTrash: (row: CheckpointRow) => Promise<void> = async () => {}

  constructor(context: Context) {
    this.#context = context
    this.#hashing = new CheckpointHashing(context, (id) => this.#changed(id))
  }

  readonly handlers: Handlers<LibraryMethod> = {
    'library.list': () => this.#context.checkpoints.all().map((row) => summaryOfCheckpoint(this.#context, row)),
    'library.get': ({ id }) => detailOf(this.#context, this.row(id)),
    'library.lineage': ({ id }) => lineageOf(this.#context, this.row(id)),
    'library.import': (input) => this.#import(input),
    'library.update': ({ id, tags, favourite, ...changes }) => {
      this.row(id)
      const { checkpoints } = this.#context
      checkpoints.update(id, { ...changes, ...(favourite === undefined ? {} : { favourite: Number(favourite) }) })
      if (tags) checkpoints.tags.set(id, tags)
      return this.#changed(id)
    },
    'library.relocate': ({ id, path }) => this.#relocate(this.row(id), path),
    'library.check': () => this.check(),
    'library.remove': ({ id, files }) => this.#remove(this.row(id), files),
    'library.restore': async ({ id }) => {
      const row = this.#context.checkpoints.get(id)
      if (!row) throw notFound('checkpoint', id)
      this.#context.checkpoints.update(id, { removed: null })
      await this.#checkFiles(row)
      return this.#changed(id)
    },
    'library.exportPlace': ({ id, ...wanted }) => freeExportPlace(this.#context, this.row(id).name, wanted),
    'library.export': async ({ id, to }) => {
      const row = this.row(id)
      await requireAllowedWithin(this.#context.options.platform, [row.path])
      await this.#context.tasks.run(
        { kind: 'export', title: `Copying ${row.name} to ${to}`, subject: { kind: 'checkpoint', id } },
        (control) => copyCheckpoint(inspectionOf(row), row.path, to, control),
      )
      return undefined
    },
  }

  /** @throws ProblemError where it is not in the library */
  row(id: number): CheckpointRow {
    const row = this.#context.checkpoints.get(id)
    if (!row || row.removed !== null) throw notFound('checkpoint', id)
    return row
  }

  /** Finds the entry of a folder, or makes one. */
  async add(
    path: string,
    storage: CheckpointRow['storage'],
    from: { run?: RunRow; parents?: number[]; name?: string; kind?: CheckpointRow['kind'] } = {},
  ): Promise<CheckpointSummary> {
    const {
      checkpoints,
      engine,
      options: { platform },
    } = this.#context
    await requireAllowedWithin(platform, [path])
    const inspection = await engine.request('inspect', { checkpoint: await placeOf(path) })
    // Of a split GGUF file the first part stands for all.
    const { folder } = inspection
    const facts = {
      family: inspection.kind === 'checkpoint' ? inspection.family : 'adapter',
      parameters: inspection.parameters,
      dtype: dtypeOf(inspection),
      bytes: inspection.files.reduce((sum, file) => sum + file.bytes, 0),
      tokenizer: tokenizerOf(inspection),
      inspection: JSON.stringify(inspection),
      status: 'present' as const,
      removed: null,
    }
    const known = checkpoints.byPath(folder)
    const run = from.run ? { run_id: from.run.id } : {}
    let id: number
    if (known) {
      id = known.id
      checkpoints.update(id, {
        ...facts,
        ...run,
        ...(sameFiles(known.inspection, inspection) ? {} : { content_hash: null }),
      })
    } else {
      id = checkpoints.insert({
        name: from.name ?? nameOf(folder),
        path: folder,
        storage,
        kind: from.kind ?? (inspection.kind === 'adapter' ? 'adapter' : 'base'),
        run_id: null,
        notes: '',
        favourite: 0,
        added: Date.now(),
        content_hash: null,
        ...facts,
        ...run,
      })
    }
    for (const parent of from.parents ?? []) checkpoints.addParent(id, parent)
    this.#hashing.start()
    return this.#changed(id)
  }

  /** Computes the hashes that are missing, in the background. */
  startHashing(): void {
    this.#hashing.start()
  }

  async #import({ path, mode, twins }: ParsedRequest<'library.import'>): Promise<CheckpointSummary> {
    if (mode === 'in-place') return await this.add(path, 'in-place')
    const {
      engine,
      options: { platform },
      settings,
      tasks,
    } = this.#context
    await requireAllowedWithin(platform, [path])
    // Refuse a folder that holds no checkpoint before anything is copied.
    const inspection = await engine.request('inspect', { checkpoint: resolve(path) })
    if (twins === 'refuse') await refuseTwin(this.#context, inspection)
    const { folder: from } = inspection
    const to = await freeName(join(settings().checkpointsFolder, nameOf(from)))
    await requireAllowed(platform, [to])
    await tasks.run({ kind: 'copy', title: `Copying ${basename(path)}`, subject: null }, (control) =>
      copyCheckpoint(inspection, from, to, control),
    )
    return await this.add(from === folderOf(inspection, from) ? to : join(to, basename(from)), 'copied')
  }

  /** Checks the files of every entry. @returns the entries whose status changed */
  async check(): Promise<CheckpointSummary[]> {
    const changed: CheckpointSummary[] = []
    for (const row of this.#context.checkpoints.all()) {
      if (await this.#checkFiles(row)) changed.push(this.#changed(row.id))
    }
    return changed
  }

  async #checkFiles(row: CheckpointRow): Promise<boolean> {
    const status = await statusOf(row)
    if (status === row.status) return false
    this.#context.checkpoints.update(row.id, { status })
    return true
  }

  async #relocate(row: CheckpointRow, path: string): Promise<CheckpointSummary> {
    const {
      checkpoints,
      engine,
      options: { platform },
      tasks,
    } = this.#context
    await requireAllowedWithin(platform, [path])
    const folder = await placeOf(path)
    const other = checkpoints.byPath(folder)
    if (other && other.id !== row.id && other.removed === null)
      throw new ProblemError('conflict', `${folder} is in the library already, as ${other.name}.`, { file: folder })
    const inspection = await engine.request('inspect', { checkpoint: folder })
    const { hash } = await tasks.run(
      {
        kind: 'hash',
        title: `Comparing ${row.name} with what is in ${folder}`,
        subject: { kind: 'checkpoint', id: row.id },
      },
      ({ signal, progress }) => engine.request('hash', { folder }, { signal, progress }),
    )
    const same = row.content_hash === null ? sameFiles(row.inspection, inspection, false) : row.content_hash === hash
    if (!same)
      throw new ProblemError(
        'conflict',
        `${folder} does not hold what ${row.name} is: import it as another checkpoint.`,
        {
          file: folder,
        },
      )
    // A removed entry of the same folder gives up its path, which must be unique.
    if (other && other.id !== row.id) checkpoints.update(other.id, { path: `${other.path} (removed ${other.id})` })
    checkpoints.update(row.id, {
      path: folder,
      status: 'present',
      content_hash: hash,
      inspection: JSON.stringify(inspection),
    })
    return this.#changed(row.id)
  }

  async #remove(row: CheckpointRow, files: 'keep' | 'trash'): Promise<undefined> {
    const { checkpoints, runs, options } = this.#context
    const user = runs
      .inStates(['queued', 'starting', 'running', 'stopping', 'paused', 'interrupted'])
      .find((run) => run.output_id === row.id || readsFrom(run, row))
    if (user)
      throw new ProblemError('in-use', `${row.name} is needed by the run ${user.name}: cancel or remove that first.`)
    if (files === 'trash') {
      await requireAllowed(options.platform, [dirname(row.path)])
      await this.beforeTrash(row)
    }
    if (files === 'trash' && (await statusOf(row)) !== 'missing')
      for (const path of ownPaths(row)) await options.platform.trash(path)
    checkpoints.update(row.id, { removed: Date.now(), ...(files === 'trash' ? { status: 'missing' as const } : {}) })
    this.#context.emit('checkpoint', { id: row.id, removed: true })
    return undefined
  }

  #changed(id: number): CheckpointSummary {
    this.#context.emit('checkpoint', { id, removed: false })
    return summaryOfCheckpoint(this.#context, this.row(id))
  }
}

/** A path without links, but for the file itself: in the Hub's cache a link has its name, and its parts beside it. */
async function placeOf(path: string): Promise<string> {
  const given = resolve(path)
  const isFile = (await stat(given).catch(() => null))?.isFile() ?? false
  return isFile ? join(await realpath(dirname(given)), basename(given)) : await realpath(given)
}

/** What a checkpoint is called: its folder, or its file without the ending. */
const nameOf = (path: string): string => basename(path).replace(/(-\d{5}-of-\d{5})?\.gguf$/i, '')

/** Whether a run's job names the checkpoint, as what it works on or as an adapter. */
const readsFrom = (run: RunRow, { id, path }: CheckpointRow): boolean =>
  run.checkpoint_id === id || pathsOfJob(JSON.parse(run.job) as object).some((used) => isWithin(used.path, [path]))
