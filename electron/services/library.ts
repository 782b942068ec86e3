import { basename, dirname } from 'node:path'
import { modelName } from '../../engine/shared/model-name.ts'
import type { CheckpointSummary, ParsedRequest } from '../contract/index.ts'
import type { CheckpointRow } from '../database/checkpoints.ts'
import type { RunRow } from '../database/runs.ts'
import { notFound } from '../problems.ts'
import { requireAllowed, requireAllowedWithin } from './allowed-paths.ts'
import { detailOf, summaryOfCheckpoint } from './checkpoint-detail.ts'
import {
  copyCheckpoint,
  dtypeOf,
  inspectionOf,
  isNameOfPlace,
  ownPaths,
  placeOf,
  sameFiles,
  statusOf,
  tokenizerOf,
} from './checkpoint-files.ts'
import { copyIn } from './checkpoint-copy.ts'
import { CheckpointFits } from './checkpoint-fits.ts'
import { CheckpointHashing } from './checkpoint-hashing.ts'
import { CheckpointMoves } from './checkpoint-moves.ts'
import { relocate } from './checkpoint-relocate.ts'
import { requireUnused } from './checkpoint-users.ts'
import type { Context } from './context.ts'
import { mountOf } from './drives.ts'
import { freeExportPlace } from './export-place.ts'
import type { Handlers } from './handlers.ts'
import { LibraryFolders } from './library-folders.ts'
import { lineageOf } from './lineage.ts'
import { Passes } from './passes.ts'

type LibraryMethod = keyof Handlers & `library.${string}`

/** Milliseconds between two looks at drives and watched folders. */
const lookEvery = 15_000

/** Checkpoints and adapters on disk that the app knows of. */
export class Library {
  readonly #context: Context
  readonly #hashing: CheckpointHashing
  readonly #fits: CheckpointFits
  readonly folders: LibraryFolders
  readonly moves: CheckpointMoves
  /** One after the other: moves are put right by one of them alone. */
  readonly #looks = new Passes(() => this.#look())
  #hasRecovered = false
  #timer: NodeJS.Timeout | undefined
  /** Each lets go of files that are about to leave their place, or refuses. */
  readonly beforeLeaving: ((row: CheckpointRow) => Promise<void>)[] = []

  constructor(context: Context) {
    this.#context = context
    this.#hashing = new CheckpointHashing(context, (id) => this.#changed(id))
    this.#fits = new CheckpointFits(context, (id) => this.#changed(id))
    this.folders = new LibraryFolders(context)
    this.moves = new CheckpointMoves(context, {
      row: (id) => this.row(id),
      changed: (id) => void this.#changed(id),
      release: (row) => this.#release(row),
    })
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
    'library.relocate': async ({ id, path }) => {
      const row = this.row(id)
      this.moves.requireStill([row.path])
      await relocate(this.#context, row, path)
      return this.#changed(id)
    },
    'library.check': () => {
      this.#context.inBackground(this.#looks.ask())
      return this.check()
    },
    'library.move': async ({ ids, to }) => {
      await this.moves.move(ids, to)
      return undefined
    },
    'library.remove': ({ id, files }) => this.#remove(this.row(id), files),
    'library.restore': async ({ id }) => {
      const row = this.#context.checkpoints.get(id)
      if (!row) throw notFound('checkpoint', id)
      this.#context.checkpoints.update(id, { removed: null })
      await this.#checkFiles(row, this.folders.awayness())
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
      mount: await mountOf(folder),
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
        // Whoever called it otherwise chose that name.
        ...(from.name !== undefined && isNameOfPlace(known.name, folder) && { name: from.name }),
        ...(sameFiles(known.inspection, inspection) ? {} : { content_hash: null, fits: null }),
      })
    } else {
      id = checkpoints.insert({
        name: from.name ?? this.#nameAt(folder),
        path: folder,
        storage,
        kind: from.kind ?? (inspection.kind === 'adapter' ? 'adapter' : 'base'),
        run_id: null,
        notes: '',
        favourite: 0,
        added: Date.now(),
        content_hash: null,
        fits: null,
        ...facts,
        ...run,
      })
    }
    for (const parent of from.parents ?? []) checkpoints.addParent(id, parent)
    this.startLooking()
    return this.#changed(id)
  }

  /** What a run wrote is called as the run is, also where it is met before the run is. */
  #nameAt(folder: string): string {
    const run = basename(folder) === 'output' ? this.#context.runs.byFolder(dirname(folder)) : undefined
    return run?.name ?? modelName(folder)
  }

  /** Computes hashes that are missing and what fits this computer, in the background. */
  startLooking(): void {
    this.#fits.start()
    this.#hashing.start()
  }

  /** Puts right moves that were cut short, and looks from now on whether drives come and go and watched folders change. */
  start(): void {
    this.#context.inBackground(this.#looks.ask())
    this.#timer = setInterval(() => this.#context.inBackground(this.#looks.ask()), lookEvery).unref()
  }

  close(): void {
    clearInterval(this.#timer)
  }

  async #look(): Promise<void> {
    const isFirst = !this.#hasRecovered
    this.#hasRecovered = true
    if (isFirst || (await this.folders.look())) {
      await this.moves.recover()
      await this.check()
      this.startLooking()
    }
    // What is known is put right before watched folders are looked through for the first time, which may take long.
    if (isFirst) await this.folders.look()
  }

  async #import({ mode, ...asked }: ParsedRequest<'library.import'>): Promise<CheckpointSummary> {
    const path = mode === 'copy' ? await copyIn(this.#context, asked) : asked.path
    const called = asked.name === undefined ? {} : { name: asked.name }
    return await this.add(path, mode === 'copy' ? 'copied' : 'in-place', called)
  }

  /** Checks the files of every entry. @returns the entries whose status changed */
  async check(): Promise<CheckpointSummary[]> {
    const changed: CheckpointSummary[] = []
    const isAway = this.folders.awayness()
    for (const row of this.#context.checkpoints.all()) {
      if (await this.#checkFiles(row, isAway)) changed.push(this.#changed(row.id))
    }
    return changed
  }

  async #checkFiles(row: CheckpointRow, isAway: (row: CheckpointRow) => Promise<boolean>): Promise<boolean> {
    const status = await statusOf(row, await isAway(row))
    const isFound = status === 'present' && (row.mount === null || row.status !== 'present')
    const mount = isFound ? await mountOf(row.path) : row.mount
    if (status === row.status && mount === row.mount) return false
    this.#context.checkpoints.update(row.id, { status, mount })
    return status !== row.status
  }

  async #remove(row: CheckpointRow, files: 'keep' | 'trash'): Promise<undefined> {
    const { checkpoints, runs, options } = this.#context
    requireUnused(runs, row)
    this.moves.requireStill([row.path])
    if (files === 'trash') {
      await requireAllowed(options.platform, [dirname(row.path)])
      await this.#release(row)
    }
    if (files === 'trash' && !['missing', 'away'].includes(await statusOf(row, await this.folders.awayness()(row))))
      for (const path of ownPaths(row)) await options.platform.trash(path)
    checkpoints.update(row.id, { removed: Date.now(), ...(files === 'trash' ? { status: 'missing' as const } : {}) })
    this.folders.dismissAt(row.path)
    this.#context.emit('checkpoint', { id: row.id, removed: true })
    return undefined
  }

  async #release(row: CheckpointRow): Promise<void> {
    for (const letGo of this.beforeLeaving) await letGo(row)
  }

  #changed(id: number): CheckpointSummary {
    this.#context.emit('checkpoint', { id, removed: false })
    return summaryOfCheckpoint(this.#context, this.row(id))
  }
}
