import { deflateSync, inflateSync } from 'node:zlib'
import type { LogLine, PruningSnapshot, RunState } from '../contract.ts'
import { MetricStore } from './metrics.ts'
import type { Connection } from './open.ts'
import { Table } from './table.ts'
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
  removed: number | null
}

/** A setting or a result of a run. */
export type RunValue = string | number | null

/** Runs with everything that they left, and what the history searches and sorts them by. */
export class RunStore extends Table<RunRow> {
  readonly tags: TagStore
  readonly metrics: MetricStore
  readonly #byFolder
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
  readonly #addLog
  readonly #log
  readonly #addSnapshot
  readonly #snapshot
  readonly #snapshotSteps
  readonly #addSample
  readonly #samples
  readonly #prompts
  readonly #rewinds
  readonly #putEvaluation
  readonly #evaluations
  readonly #ofCheckpoint
  readonly #nameIds = new Map<string, number>()

  constructor(db: Connection) {
    super(db, 'runs')
    this.tags = new TagStore(db, 'run')
    this.metrics = new MetricStore(db)
    this.#byFolder = db.prepare<[string], RunRow>('SELECT * FROM runs WHERE folder = ?')
    this.#inStates = db.prepare<[string], RunRow>(
      'SELECT * FROM runs WHERE removed IS NULL AND state IN (SELECT value FROM json_each(?)) ORDER BY queue_position, id',
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
    this.#addLog = db.prepare<[number, number, string, string]>(
      'INSERT INTO run_log (run_id, time, level, message) VALUES (?, ?, ?, ?)',
    )
    this.#log = db.prepare<[number, number], LogLine>(
      'SELECT id, time, level, message FROM run_log WHERE run_id = ? AND id > ? ORDER BY id LIMIT 5000',
    )
    this.#addSnapshot = db.prepare<[number, number, Buffer]>(
      'INSERT OR REPLACE INTO snapshots (run_id, step, data) VALUES (?, ?, ?)',
    )
    this.#snapshot = db.prepare<[number, number], Buffer>(
      'SELECT data FROM snapshots WHERE run_id = ? AND step <= ? ORDER BY step DESC LIMIT 1',
    )
    this.#snapshot.pluck()
    this.#snapshotSteps = db.prepare<[number], number>('SELECT step FROM snapshots WHERE run_id = ? ORDER BY step')
    this.#snapshotSteps.pluck()
    this.#addSample = db.prepare<[number, number, string, string]>(
      'INSERT OR REPLACE INTO samples (run_id, step, prompt, text) VALUES (?, ?, ?, ?)',
    )
    this.#samples = db.prepare<[number], { step: number; prompt: string; text: string }>(
      'SELECT step, prompt, text FROM samples WHERE run_id = ? ORDER BY step, prompt',
    )
    this.#prompts = db.prepare<[number], string>('SELECT DISTINCT prompt FROM samples WHERE run_id = ? ORDER BY prompt')
    this.#prompts.pluck()
    this.#rewinds = ['snapshots', 'samples'].map((table) =>
      db.prepare<[number, number]>(`DELETE FROM ${table} WHERE run_id = ? AND step > ?`),
    )
    this.#putEvaluation = db.prepare<[number, string, number | null, number, string]>(
      'INSERT OR REPLACE INTO evaluations (run_id, subject, checkpoint_id, finished, scores) VALUES (?, ?, ?, ?, ?)',
    )
    this.#evaluations = db.prepare<[number], { runId: number; runName: string; finished: number; scores: string }>(
      `SELECT run_id AS runId, runs.name AS runName, evaluations.finished, scores FROM evaluations
       JOIN runs ON runs.id = run_id
       WHERE evaluations.checkpoint_id = ? AND runs.removed IS NULL ORDER BY evaluations.finished DESC`,
    )
    this.#ofCheckpoint = db.prepare<[{ id: number }], RunRow>(
      'SELECT * FROM runs WHERE (checkpoint_id = @id OR output_id = @id) AND removed IS NULL ORDER BY created DESC',
    )
  }

  byFolder(folder: string): RunRow | undefined {
    return this.#byFolder.get(folder)
  }

  inStates(states: readonly RunState[]): RunRow[] {
    return this.#inStates.all(JSON.stringify(states))
  }

  queued(): RunRow[] {
    return this.#nextQueued.all()
  }

  endOfQueue(): number {
    return (this.#lastPosition.get() ?? 0) + 1
  }

  /** Runs that read the checkpoint or wrote it. */
  ofCheckpoint(id: number): RunRow[] {
    return this.#ofCheckpoint.all({ id })
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

  /** Brings what the search knows of a run up to date with its name, notes, tags and settings. */
  index(runId: number): void {
    const row = this.#search.get(runId)
    this.#clearSearch.run(runId)
    if (!row) return
    const settings = this.#valuesText.all(runId).join('\n')
    this.#putSearch.run(runId, row.name, row.notes, this.tags.of(runId).join('\n'), settings)
  }

  addLog(runId: number, line: Omit<LogLine, 'id'>): LogLine {
    const { lastInsertRowid } = this.#addLog.run(runId, line.time, line.level, line.message)
    return { id: Number(lastInsertRowid), ...line }
  }

  /** Lines after one, 5000 at most. */
  log(runId: number, after: number): LogLine[] {
    return this.#log.all(runId, after)
  }

  addSnapshot(runId: number, snapshot: PruningSnapshot): void {
    this.#addSnapshot.run(runId, snapshot.step, deflateSync(JSON.stringify(snapshot), { level: 1 }))
  }

  /** The last one that was taken at or before a step. */
  snapshot(runId: number, step: number): PruningSnapshot | null {
    const data = this.#snapshot.get(runId, step)
    return data ? (JSON.parse(inflateSync(data).toString('utf8')) as PruningSnapshot) : null
  }

  snapshotSteps(runId: number): number[] {
    return this.#snapshotSteps.all(runId)
  }

  addSample(runId: number, { step, prompt, text }: { step: number; prompt: string; text: string }): void {
    this.#addSample.run(runId, step, prompt, text)
  }

  samples(runId: number): { step: number; prompt: string; text: string }[] {
    return this.#samples.all(runId)
  }

  prompts(runId: number): string[] {
    return this.#prompts.all(runId)
  }

  /** Forgets what came after a step that is going to be repeated. */
  rewind(runId: number, step: number): void {
    this.db.transaction(() => {
      this.metrics.rewind(runId, step)
      for (const statement of this.#rewinds) statement.run(runId, step)
    })()
  }

  putEvaluation(
    runId: number,
    subject: 'result' | 'dense',
    checkpointId: number | null,
    finished: number,
    scores: unknown,
  ): void {
    this.#putEvaluation.run(runId, subject, checkpointId, finished, JSON.stringify(scores))
  }

  /** Scores that runs took of a checkpoint, newest first; the scores are JSON. */
  evaluationsOf(checkpointId: number): { runId: number; runName: string; finished: number; scores: string }[] {
    return this.#evaluations.all(checkpointId)
  }
}
