import { deflateSync, inflateSync } from 'node:zlib'
import type { LogLine, PruningSnapshot } from '../contract/index.ts'
import type { Connection } from './open.ts'

interface LogQuery {
  run: number
  time: number
  id: number
  limit: number
  /** 0: warnings and errors alone. */
  all: number
}

/** What runs left beside their curves: snapshots of pruning, samples, log and scores. */
export class RunRecords {
  readonly #addLog
  readonly #log
  readonly #addMissingLog
  readonly #addSnapshot
  readonly #snapshot
  readonly #snapshotSteps
  readonly #addSample
  readonly #samples
  readonly #prompts
  readonly #rewinds
  readonly #putEvaluation
  readonly #evaluations
  readonly #makers
  readonly #joined

  constructor(db: Connection) {
    this.#addLog = db.prepare<[number, number, string, string]>(
      'INSERT INTO run_log (run_id, time, level, message) VALUES (?, ?, ?, ?)',
    )
    this.#log = db.prepare<[LogQuery], LogLine>(
      `SELECT id, time, level, message FROM run_log
       WHERE run_id = @run AND (time, id) < (@time, @id) AND (@all OR level <> 'info')
       ORDER BY time DESC, id DESC LIMIT @limit`,
    )
    this.#addMissingLog = db.prepare<[Omit<LogLine, 'id'> & { run: number }]>(
      `INSERT INTO run_log (run_id, time, level, message) SELECT @run, @time, @level, @message WHERE NOT EXISTS
         (SELECT 1 FROM run_log WHERE run_id = @run AND time = @time AND level = @level AND message = @message)`,
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
    this.#makers = db.prepare<[string], number>(
      `SELECT DISTINCT maker.id FROM evaluations
       JOIN runs maker ON maker.output_id = evaluations.checkpoint_id AND maker.id <> evaluations.run_id
       WHERE evaluations.run_id IN (SELECT value FROM json_each(?))`,
    )
    this.#makers.pluck()
    this.#joined = db.prepare<[string], number>(
      `SELECT DISTINCT runs.id FROM runs
       JOIN evaluations ON evaluations.checkpoint_id = runs.output_id AND evaluations.run_id <> runs.id
       JOIN runs other ON other.id = evaluations.run_id AND other.removed IS NULL
       WHERE runs.id IN (SELECT value FROM json_each(?))`,
    )
    this.#joined.pluck()
  }

  addLog(runId: number, line: Omit<LogLine, 'id'>): LogLine {
    const { lastInsertRowid } = this.#addLog.run(runId, line.time, line.level, line.message)
    return { id: Number(lastInsertRowid), ...line }
  }

  /** Adds the lines that are not there yet, as the same words of the same moment. */
  addMissingLog(runId: number, lines: readonly Omit<LogLine, 'id'>[]): void {
    for (const { time, level, message } of lines) this.#addMissingLog.run({ run: runId, time, level, message })
  }

  /**
   * The newest lines before one, or of warnings and errors alone, in their order.
   *
   * @param before of all lines where it is left out
   */
  log(
    runId: number,
    { level, before, limit }: { level: 'all' | 'warnings'; before?: Pick<LogLine, 'time' | 'id'>; limit: number },
  ): LogLine[] {
    const { time, id } = before ?? { time: Number.MAX_SAFE_INTEGER, id: 0 }
    return this.#log.all({ run: runId, time, id, limit, all: Number(level === 'all') }).toReversed()
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

  /** Deletes what came after a step. */
  rewind(runId: number, step: number): void {
    for (const statement of this.#rewinds) statement.run(runId, step)
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

  /** The runs that made the checkpoints which these runs have evaluated. */
  makersOfEvaluated(runIds: readonly number[]): number[] {
    return this.#makers.all(JSON.stringify(runIds))
  }

  /** Those of the runs whose result another run has evaluated too. */
  evaluatedLater(runIds: readonly number[]): number[] {
    return this.#joined.all(JSON.stringify(runIds))
  }
}
