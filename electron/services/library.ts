import { realpath, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { type Inspection, inspectionSchema, scoresSchema } from '../../engine/contract/index.ts'
import type { CheckpointDetail, CheckpointSummary, Lineage } from '../contract/index.ts'
import type { CheckpointRow } from '../database/checkpoints.ts'
import type { RunRow } from '../database/runs.ts'
import { notFound, ProblemError, wasAborted } from '../problems.ts'
import { isWithin } from './allowed-paths.ts'
import type { Context } from './context.ts'
import { copyFolder, freeName } from './files.ts'
import type { Handlers } from './handlers.ts'
import { pathsOfJob } from './job-paths.ts'

type LibraryMethod = keyof Handlers & `library.${string}`

/** Checkpoints and adapters on disk that the app knows of. */
export class Library {
  readonly #context: Context
  #hashing: Promise<void> = Promise.resolve()

  constructor(context: Context) {
    this.#context = context
  }

  readonly handlers: Handlers<LibraryMethod> = {
    'library.list': () => this.#context.checkpoints.all().map((row) => this.summary(row)),
    'library.get': ({ id }) => this.#detail(this.row(id)),
    'library.lineage': ({ id }) => this.#lineage(this.row(id)),
    'library.import': ({ path, mode }) => this.#import(path, mode),
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
      await this.#look(row)
      return this.#changed(id)
    },
    'library.export': async ({ id, to }) => {
      const row = this.row(id)
      await this.#context.tasks.run(
        { kind: 'export', title: `Copying ${row.name} to ${to}`, subject: { kind: 'checkpoint', id } },
        (control) => copyFolder(row.path, to, control),
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

  summary(row: CheckpointRow): CheckpointSummary {
    const { checkpoints } = this.#context
    return {
      id: row.id,
      name: row.name,
      path: row.path,
      storage: row.storage,
      kind: row.kind,
      family: row.family,
      parameters: row.parameters,
      dtype: row.dtype,
      bytes: row.bytes,
      tokenizer: row.tokenizer,
      status: row.status,
      runId: row.run_id,
      tags: checkpoints.tags.of(row.id),
      notes: row.notes,
      favourite: row.favourite === 1,
      added: row.added,
      duplicates: row.content_hash === null ? [] : checkpoints.withHash(row.content_hash).filter((id) => id !== row.id),
      contentHash: row.content_hash,
    }
  }

  /** Finds the entry of a folder, or makes one. */
  async add(
    path: string,
    storage: CheckpointRow['storage'],
    from: { run?: RunRow; parents?: number[]; name?: string; kind?: CheckpointRow['kind'] } = {},
  ): Promise<CheckpointSummary> {
    const { checkpoints, engine } = this.#context
    const folder = await realpath(resolve(path))
    const inspection = await engine.request('inspect', { checkpoint: folder })
    const facts = {
      family: inspection.kind === 'checkpoint' ? inspection.family : 'adapter',
      parameters: inspection.parameters,
      dtype: inspection.kind === 'checkpoint' ? inspection.dtype : 'float32',
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
        name: from.name ?? basename(folder),
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
    this.hashInBackground()
    return this.#changed(id)
  }

  /** Computes the hashes that are missing, one checkpoint at a time. */
  hashInBackground(): void {
    this.#hashing = this.#hashing.then(() => this.#hashAll())
    this.#context.inBackground(this.#hashing)
  }

  async #hashAll(): Promise<void> {
    const { checkpoints, engine, tasks } = this.#context
    for (const row of checkpoints.all()) {
      if (row.content_hash !== null || row.status !== 'present') continue
      try {
        const { hash } = await tasks.run(
          { kind: 'hash', title: `Looking for duplicates of ${row.name}`, subject: { kind: 'checkpoint', id: row.id } },
          ({ signal, progress }) => engine.request('hash', { folder: row.path }, { signal, progress }),
        )
        const others = checkpoints.withHash(hash)
        checkpoints.update(row.id, { content_hash: hash })
        // It may have been removed meanwhile.
        for (const id of new Set([row.id, ...others])) if (checkpoints.get(id)?.removed === null) this.#changed(id)
      } catch (error) {
        // The task says what went wrong; the next start tries again.
        if (!wasAborted(error)) console.error(`${row.path} could not be hashed`, error)
      }
    }
  }

  async #import(path: string, mode: 'in-place' | 'copy'): Promise<CheckpointSummary> {
    if (mode === 'in-place') return await this.add(path, 'in-place')
    const { engine, settings, tasks } = this.#context
    // Refused before anything is copied, where it is no checkpoint.
    await engine.request('inspect', { checkpoint: resolve(path) })
    const to = await freeName(join(settings().checkpointsFolder, basename(resolve(path))))
    await tasks.run({ kind: 'copy', title: `Copying ${basename(path)}`, subject: null }, (control) =>
      copyFolder(resolve(path), to, control),
    )
    return await this.add(to, 'copied')
  }

  /** Looks at the files of every entry. @returns those whose status changed */
  async check(): Promise<CheckpointSummary[]> {
    const changed: CheckpointSummary[] = []
    for (const row of this.#context.checkpoints.all()) {
      if (await this.#look(row)) changed.push(this.#changed(row.id))
    }
    return changed
  }

  async #look(row: CheckpointRow): Promise<boolean> {
    const status = await statusOf(row)
    if (status === row.status) return false
    this.#context.checkpoints.update(row.id, { status })
    return true
  }

  async #relocate(row: CheckpointRow, path: string): Promise<CheckpointSummary> {
    const { checkpoints, engine, tasks } = this.#context
    const folder = await realpath(resolve(path))
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
    // A removed entry of the same folder gives way.
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
    if (files === 'trash' && (await statusOf(row)) !== 'missing') await options.platform.trash(row.path)
    checkpoints.update(row.id, { removed: Date.now(), ...(files === 'trash' ? { status: 'missing' as const } : {}) })
    this.#context.emit('checkpoint', { id: row.id, removed: true })
    return undefined
  }

  #changed(id: number): CheckpointSummary {
    this.#context.emit('checkpoint', { id, removed: false })
    return this.summary(this.row(id))
  }

  #detail(row: CheckpointRow): CheckpointDetail {
    const { checkpoints, runs } = this.#context
    const inspection = inspectionOf(row)
    const shared = inspection.kind === 'checkpoint' ? inspection : null
    const original = checkpoints
      .parents(row.id)
      .flatMap((id) => checkpoints.get(id) ?? [])
      .find(({ kind }) => kind !== 'adapter')
    const base = original && inspectionOf(original)
    return {
      ...this.summary(row),
      hiddenSize: shared?.hiddenSize ?? 0,
      headSize: shared?.headSize ?? 0,
      vocabularySize: shared?.vocabularySize ?? 0,
      maxPositions: shared?.maxPositions ?? 0,
      tiedEmbeddings: shared?.tiedEmbeddings ?? false,
      layers: shared?.layers.map(({ heads, keyValueHeads, channels }) => ({ heads, keyValueHeads, channels })) ?? [],
      originalLayers: shared && base?.kind === 'checkpoint' ? base.layers : null,
      adapter:
        inspection.kind === 'adapter'
          ? {
              rank: inspection.rank,
              alpha: inspection.alpha,
              projections: inspection.projections,
              base: inspection.base,
            }
          : null,
      files: inspection.files.map(({ name, bytes }) => ({ name, bytes })),
      evaluations: runs.records
        .evaluationsOf(row.id)
        .map(({ scores, ...rest }) => ({ ...rest, scores: scoresSchema.parse(JSON.parse(scores)) })),
      runs: runs.ofCheckpoint(row.id).map((run) => ({
        id: run.id,
        name: run.name,
        kind: run.kind,
        state: run.state,
        role: run.output_id === row.id ? ('output' as const) : ('input' as const),
      })),
    }
  }

  /** Everything that it came from and that was made of it. */
  #lineage(row: CheckpointRow): Lineage {
    const { checkpoints, runs } = this.#context
    const lineage: Lineage = { nodes: [], edges: [] }
    const seen = new Set<number>()
    const visit = (id: number) => {
      const checkpoint = checkpoints.get(id)
      if (!checkpoint || seen.has(id)) return
      seen.add(id)
      const key = `checkpoint-${id}`
      lineage.nodes.push({ key, kind: 'checkpoint', id, name: checkpoint.name, detail: checkpoint.kind })
      const run = checkpoint.run_id === null ? undefined : runs.get(checkpoint.run_id)
      if (run) {
        lineage.nodes.push({ key: `run-${run.id}`, kind: 'run', id: run.id, name: run.name, detail: run.kind })
        lineage.edges.push({ from: `run-${run.id}`, to: key })
      }
      for (const parent of checkpoints.parents(id)) {
        lineage.edges.push({ from: `checkpoint-${parent}`, to: run ? `run-${run.id}` : key })
        visit(parent)
      }
      for (const child of checkpoints.children(id)) visit(child)
    }
    visit(row.id)
    return lineage
  }
}

/** Whether a run's job names the checkpoint, as what it works on or as an adapter. */
const readsFrom = (run: RunRow, { id, path }: CheckpointRow): boolean =>
  run.checkpoint_id === id || pathsOfJob(JSON.parse(run.job) as object).some((used) => isWithin(used.path, [path]))

export const inspectionOf = (row: CheckpointRow): Inspection => inspectionSchema.parse(JSON.parse(row.inspection))

function tokenizerOf(inspection: Inspection): string | null {
  if (inspection.kind === 'adapter' || inspection.tokenizer === null) return null
  return 'kind' in inspection.tokenizer ? inspection.tokenizer.kind : null
}

/** Whether the files are those that were seen before, by name and size, and by time unless it was a copy. */
function sameFiles(before: string, now: Inspection, times = true): boolean {
  const earlier = inspectionSchema.safeParse(JSON.parse(before))
  const list = ({ files }: Inspection) =>
    files.map(({ name, bytes, modifiedMs }) => `${name} ${bytes} ${times ? modifiedMs : ''}`).sort()
  return earlier.success && list(earlier.data).join('\n') === list(now).join('\n')
}

async function statusOf(row: CheckpointRow): Promise<CheckpointRow['status']> {
  const { files } = inspectionOf(row)
  const states = await Promise.all(
    files.map(async ({ name, bytes, modifiedMs }) => {
      try {
        const now = await stat(join(row.path, name))
        return now.size === bytes && Math.abs(now.mtimeMs - modifiedMs) < 2 ? 'present' : 'changed'
      } catch {
        return 'missing'
      }
    }),
  )
  if (states.every((state) => state === 'missing')) return 'missing'
  return states.every((state) => state === 'present') ? 'present' : 'changed'
}
