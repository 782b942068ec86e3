import type { RunState } from '../contract/index.ts'
import { MetricStore } from './metrics.ts'
import type { Connection } from './open.ts'
import { RunRecords } from './run-records.ts'
import { Table } from './table.ts'
import { SystemLoadStore } from './system-load.ts'
import { TagStore } from './tags.ts'

export interface RunRow {
  id: number
  name: string
  kind: string
  state: RunState
  reason: string | null
  folder: string
  device: string | null
  checkpoint_id: number | null
  checkpoint_name: string
  output_id: number | null
  parent_id: number | null
  created: number
  started: number | null
  finished: number | null
  last_saved_step: number | null
  /** JSON, as are job, estimate, software, hardware and result. */
  progress: string | null
  archived: number
  notes: string
  job: string
  estimate: string | null
  software: string
  hardware: string
  result: string | null
  queue_position: number | null
  /** The engine's process, and when the system says that it was started. */
  pid: number | null
  pid_started: string | null
  /** When it was removed; 0 while it is being deleted. */
  removed: number | null
}

/** The columns of a run that has not started. */
export const emptyRow = {
  reason: null,
  output_id: null,
  parent_id: null,
  started: null,
  finished: null,
  last_saved_step: null,
  progress: null,
  archived: 0,
  notes: '',
  estimate: null,
  software: '{}',
  hardware: '{}',
  result: null,
  queue_position: null,
  pid: null,
  pid_started: null,
  removed: null,
} satisfies Partial<RunRow>

/** The columns that are read where many runs are changed at once. */
export type RunOutline = Pick<RunRow, 'id' | 'name' | 'state' | 'folder' | 'output_id'>

/** A setting or a result of a run. */
export type RunValue = string | number | null

/** Runs, and what the history searches and sorts them by. */
export class RunStore extends Table<RunRow> {
  readonly tags: TagStore
  readonly metrics: MetricStore
  readonly records: RunRecords
  readonly load: SystemLoadStore
  readonly #byFolder
  readonly #byName
  readonly #inStates
  readonly #nextQueued
  readonly #lastPosition
  readonly #nameId
  readonly #addName
  readonly #putValue
  readonly #clearValues
  readonly #search
  readonly #putSearch
  readonly #clearSearch
  readonly #valuesText
  readonly #ofCheckpoint
  readonly #outlines
  readonly #ofSweeps
  readonly #nameIds = new Map<string, number>()
  /** How runs stand that the database has otherwise, because it could not be written yet; every reader is told this. */
  readonly unwritten = new Map<number, Pick<RunRow, 'state' | 'reason'>>()

  constructor(db: Connection) {
    super(db, 'runs')
    this.tags = new TagStore(db, 'run')
    this.metrics = new MetricStore(db)
    this.records = new RunRecords(db)
    this.load = new SystemLoadStore(db)
    this.#byName = db.prepare<[string], { id: number }>('SELECT id FROM runs WHERE name = ? LIMIT 1')
    this.#byFolder = db.prepare<[string], RunRow>('SELECT * FROM runs WHERE folder = ? ORDER BY id DESC')
    this.#inStates = db.prepare<[string, string], RunRow>(
      'SELECT * FROM runs WHERE removed IS NULL ' +
        'AND (state IN (SELECT value FROM json_each(?)) OR id IN (SELECT value FROM json_each(?))) ' +
        "ORDER BY state = 'queued', queue_position, id",
    )
    this.#nextQueued = db.prepare<[], RunRow>(
      "SELECT * FROM runs WHERE state = 'queued' AND removed IS NULL ORDER BY queue_position, id",
    )
    this.#lastPosition = db.prepare<[], number | null>('SELECT max(queue_position) FROM runs')
    this.#lastPosition.pluck()
    this.#nameId = db.prepare<[string], number>('SELECT id FROM value_names WHERE name = ?')
    this.#nameId.pluck()
    this.#addName = db.prepare<[string]>('INSERT INTO value_names (name) VALUES (?)')
    this.#putValue = db.prepare<[number, number, RunValue]>(
      'INSERT OR REPLACE INTO run_values (run_id, name_id, value) VALUES (?, ?, ?)',
    )
    this.#clearValues = db.prepare<[number, string]>(
      "DELETE FROM run_values WHERE run_id = ? AND name_id IN (SELECT id FROM value_names WHERE name LIKE ? || '.%')",
    )
    this.#search = db.prepare<[number], { name: string; notes: string }>('SELECT name, notes FROM runs WHERE id = ?')
    this.#clearSearch = db.prepare<[number]>('DELETE FROM run_search WHERE rowid = ?')
    this.#putSearch = db.prepare<[number, string, string, string, string]>(
      'INSERT INTO run_search (rowid, name, notes, tags, settings) VALUES (?, ?, ?, ?, ?)',
    )
    this.#valuesText = db.prepare<[number], string>(
      "SELECT substr(name, 9) || ' ' || value FROM run_values JOIN value_names ON value_names.id = name_id WHERE run_id = ? AND name LIKE 'setting.%'",
    )
    this.#valuesText.pluck()
    this.#outlines = db.prepare<[string], RunOutline>(
      'SELECT id, name, state, folder, output_id FROM runs WHERE id IN (SELECT value FROM json_each(?)) AND removed IS NOT 0',
    )
    this.#ofSweeps = db.prepare<[string], number>(
      `SELECT r.id FROM runs r JOIN runs p ON p.id = r.parent_id AND p.kind = 'sweep'
       WHERE p.id IN (SELECT value FROM json_each(?)) AND r.removed IS NULL`,
    )
    this.#ofSweeps.pluck()
    this.#ofCheckpoint = db.prepare<[{ id: number }], RunRow>(
      'SELECT * FROM runs WHERE (checkpoint_id = @id OR output_id = @id) AND removed IS NULL ORDER BY created DESC',
    )
  }

  override get(id: number): RunRow | undefined {
    const row = super.get(id)
    return row && this.#asItStands(row)
  }

  /** Whether a run is called so, or was before it was removed. */
  isNamed(name: string): boolean {
    return this.#byName.get(name) !== undefined
  }

  /** The newest run of a folder; of the file of exports there may be several. */
  byFolder(folder: string): RunRow | undefined {
    const row = this.#byFolder.get(folder)
    return row && this.#asItStands(row)
  }

  #asItStands<Row extends { id: number }>(row: Row): Row {
    return { ...row, ...this.unwritten.get(row.id) }
  }

  /** Runs in any of these states; queued ones come last, in the order of the queue. */
  inStates(states: readonly RunState[]): RunRow[] {
    const unwritten = JSON.stringify([...this.unwritten.keys()])
    const rows = this.#inStates.all(JSON.stringify(states), unwritten).map((row) => this.#asItStands(row))
    return rows.filter(({ state }) => states.includes(state))
  }

  queued(): RunRow[] {
    return this.#nextQueued.all()
  }

  endOfQueue(): number {
    return (this.#lastPosition.get() ?? 0) + 1
  }

  /** The runs with these ids that exist, including removed ones that are not being deleted. */
  outlines(ids: readonly number[]): RunOutline[] {
    return this.#outlines.all(JSON.stringify(ids)).map((row) => this.#asItStands(row))
  }

  /** The runs, and after the sweeps among them the runs of these that are not removed. */
  withRunsOfSweeps(ids: readonly number[]): number[] {
    return [...new Set([...ids, ...this.#ofSweeps.all(JSON.stringify(ids))])]
  }

  /** Runs that read the checkpoint or wrote it. */
  ofCheckpoint(id: number): RunRow[] {
    return this.#ofCheckpoint.all({ id }).map((row) => this.#asItStands(row))
  }

  /** Replaces the values under a prefix, `setting` or `metric`. */
  putValues(runId: number, prefix: 'setting' | 'metric', values: Record<string, RunValue>): void {
    this.db.transaction(() => {
      this.#clearValues.run(runId, prefix)
      for (const [name, value] of Object.entries(values))
        this.#putValue.run(runId, this.nameId(`${prefix}.${name}`), value)
      if (prefix === 'setting') this.index(runId)
    })()
  }

  nameId(name: string): number {
    const known = this.#nameIds.get(name) ?? this.#nameId.get(name)
    const id = known ?? Number(this.#addName.run(name).lastInsertRowid)
    this.#nameIds.set(name, id)
    return id
  }

  /** Updates the search index with the run's name, notes, tags and settings. */
  index(runId: number): void {
    const row = this.#search.get(runId)
    this.#clearSearch.run(runId)
    if (!row) return
    const settings = this.#valuesText.all(runId).join('\n')
    this.#putSearch.run(runId, row.name, row.notes, this.tags.of(runId).join('\n'), settings)
  }

  /** Deletes what came after a step, since the steps after it are repeated. */
  rewind(runId: number, step: number): void {
    this.db.transaction(() => {
      this.metrics.rewind(runId, step)
      this.records.rewind(runId, step)
    })()
  }
}
