import { realpath, stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { z } from 'zod'
import type { Dataset, ParsedRequest } from '../contract/index.ts'
import type { DatasetRow } from '../database/datasets.ts'
import { notFound, ProblemError } from '../problems.ts'
import { requireAllowedWithin } from './allowed-paths.ts'
import type { Context } from './context.ts'
import type { ImageMethod } from './dataset-images.ts'
import type { Handlers } from './handlers.ts'
import type { Library } from './library.ts'

type DatasetMethod = Exclude<keyof Handlers & `datasets.${string}`, ImageMethod>
const fieldNames = z.array(z.string())

/** Files and image folders that runs train and are scored on. */
export class Datasets {
  readonly #context: Context
  readonly #library: Library

  constructor(context: Context, library: Library) {
    this.#context = context
    this.#library = library
  }

  readonly handlers: Handlers<DatasetMethod> = {
    'datasets.list': () => this.#context.datasets.all().map((row) => this.#summary(row)),
    'datasets.register': ({ path }) => this.add(path),
    'datasets.update': ({ id, tags, ...changes }) => {
      this.row(id)
      this.#context.datasets.update(id, changes)
      if (tags) this.#context.datasets.tags.set(id, tags)
      return this.#changed(id)
    },
    'datasets.relocate': ({ id, path }) => this.#relocate(this.row(id), path),
    'datasets.remove': ({ id }) => {
      this.row(id)
      this.#context.datasets.update(id, { removed: Date.now() })
      this.#context.emit('dataset', { id, removed: true })
      return undefined
    },
    'datasets.restore': async ({ id }) => {
      const row = this.#context.datasets.get(id)
      if (!row) throw notFound('data set', id)
      this.#context.datasets.update(id, { removed: null, status: await statusOf(row) })
      return this.#changed(id)
    },
    'datasets.preview': (input) => this.#preview(input),
    'datasets.lengths': async ({ id, checkpoint, sample }) => {
      const row = this.row(id)
      const { engine, tasks } = this.#context
      const asked = { ...this.#source(row), checkpoint: this.#library.row(checkpoint).path, sample }
      await this.#requireAllowed(asked.path, asked.checkpoint)
      return await tasks.run(
        { kind: 'count', title: `Counting tokens of ${row.name}`, subject: { kind: 'dataset', id } },
        ({ signal, progress }) => engine.request('tokenLengths', asked, { signal, progress }),
      )
    },
  }

  /** Looks at the files of every entry. */
  async check(): Promise<void> {
    for (const row of this.#context.datasets.all()) {
      const status = await statusOf(row)
      if (status === row.status) continue
      this.#context.datasets.update(row.id, { status })
      this.#changed(row.id)
    }
  }

  /** @throws ProblemError where it is not on the list */
  row(id: number): DatasetRow {
    const row = this.#context.datasets.get(id)
    if (!row || row.removed !== null) throw notFound('data set', id)
    return row
  }

  /** Finds the entry of a file or folder, or makes one of that name. */
  async add(given: string, name?: string): Promise<Dataset> {
    const { datasets } = this.#context
    const facts = await this.#facts(await realpath(resolve(given)))
    const known = datasets.byPath(facts.path)
    if (known) {
      datasets.update(known.id, facts)
      return this.#changed(known.id)
    }
    return this.#changed(
      datasets.insert({ name: name ?? basename(facts.path), notes: '', added: Date.now(), ...facts }),
    )
  }

  #summary(row: DatasetRow): Dataset {
    return {
      id: row.id,
      name: row.name,
      path: row.path,
      format: row.format,
      kind: row.kind,
      detectedKind: row.detected_kind,
      task: row.task,
      fields: fieldNames.parse(JSON.parse(row.fields)),
      field: row.field,
      rows: row.rows,
      bytes: row.bytes,
      status: row.status,
      tags: this.#context.datasets.tags.of(row.id),
      notes: row.notes,
      added: row.added,
    }
  }

  #changed(id: number): Dataset {
    this.#context.emit('dataset', { id, removed: false })
    return this.#summary(this.row(id))
  }

  /** What is registered may have become a link, or have got one in it, since it was looked at. */
  #requireAllowed(...paths: string[]): Promise<void> {
    return requireAllowedWithin(this.#context.options.platform, paths)
  }

  async #facts(path: string) {
    await this.#requireAllowed(path)
    const found = await this.#context.engine.request('detectDataset', { path })
    return {
      path,
      format: found.format,
      kind: found.kind,
      detected_kind: found.kind,
      task: found.task ?? null,
      fields: JSON.stringify(found.fields),
      field: found.field ?? null,
      rows: found.rows,
      bytes: found.bytes,
      modified: (await stat(path)).mtimeMs,
      status: 'present' as const,
      removed: null,
    }
  }

  async #relocate(row: DatasetRow, given: string): Promise<Dataset> {
    const { datasets } = this.#context
    const facts = await this.#facts(await realpath(resolve(given)))
    if (row.status === 'missing' && (facts.format !== row.format || facts.bytes !== row.bytes))
      throw new ProblemError(
        'conflict',
        `${facts.path} does not hold what ${row.name} held: register it as another data set.`,
        {
          file: facts.path,
        },
      )
    const other = datasets.byPath(facts.path)
    if (other && other.id !== row.id && other.removed === null)
      throw new ProblemError('conflict', `${facts.path} is registered already, as ${other.name}.`, { file: facts.path })
    datasets.freePath(facts.path, row.id)
    // What was corrected by hand stays.
    datasets.update(row.id, { ...facts, kind: row.kind, field: row.field })
    return this.#changed(row.id)
  }

  #source({ path, kind, field }: DatasetRow) {
    return { path, kind, ...(field === null ? {} : { field }) }
  }

  async #preview({ id, checkpoint, ...page }: ParsedRequest<'datasets.preview'>) {
    const row = this.row(id)
    const asked = { ...this.#source(row), ...page, checkpoint: this.#library.row(checkpoint).path }
    await this.#requireAllowed(asked.path, asked.checkpoint)
    const { rows } = await this.#context.engine.request('previewDataset', asked)
    return { rows, total: row.rows }
  }
}

async function statusOf({ path, format, bytes, modified }: DatasetRow): Promise<Dataset['status']> {
  try {
    const now = await stat(path)
    // A folder of images has the time at which something was last put in or taken out.
    const same = Math.abs(now.mtimeMs - modified) < 2 && (format === 'images' || now.size === bytes)
    return same ? 'present' : 'changed'
  } catch {
    return 'missing'
  }
}
