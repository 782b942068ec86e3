import type { ResultEvent, RunReport } from '../../engine/contract.ts'
import type { CheckpointRow } from '../database/checkpoints.ts'
import type { RunRow } from '../database/runs.ts'
import type { Context } from './context.ts'
import type { Library } from './library.ts'
import { toProblem } from './problems.ts'
import { RunRecorder } from './run-recorder.ts'
import { metricsOf, scoresOf } from './run-values.ts'

const kindOfOutput: Record<string, CheckpointRow['kind']> = { prune: 'pruned', finetune: 'adapter', merge: 'merged' }

/** Enters a run's result into the database: its scores, and its output into the library. */
export async function enterResult(
  context: Context,
  library: Library,
  row: RunRow,
  result: ResultEvent,
  finished: number,
) {
  const { db, runs } = context
  const output = row.kind === 'evaluate' ? null : await enterOutput(context, library, row, result)
  const scores = scoresOf(result)
  const scored = row.kind === 'evaluate' ? row.checkpoint_id : output
  db.transaction(() => {
    runs.putValues(row.id, 'metric', metricsOf(result))
    if (scores) runs.records.putEvaluation(row.id, 'result', scored, finished, scores)
    if (result.dense) runs.records.putEvaluation(row.id, 'dense', row.checkpoint_id, finished, result.dense)
    const { parameters, loss, seconds, peakMemoryBytes, dense } = result
    runs.update(row.id, {
      output_id: output,
      result: JSON.stringify({
        ...(parameters && { parameters }),
        ...(loss !== undefined && { loss }),
        ...(seconds !== undefined && { seconds }),
        ...(peakMemoryBytes !== undefined && { peakMemoryBytes }),
        ...(scores && { scores }),
        ...(dense && { denseScores: dense }),
      }),
    })
  })()
}

async function enterOutput(
  context: Context,
  library: Library,
  row: RunRow,
  result: ResultEvent,
): Promise<number | null> {
  const folder = result.checkpoint ?? result.adapter
  if (folder === undefined) return null
  try {
    const { id } = await library.add(folder, 'run-output', {
      run: row,
      parents: row.checkpoint_id === null ? [] : [row.checkpoint_id],
      name: row.name,
      kind: result.checkpoint === undefined ? 'adapter' : (kindOfOutput[row.kind] ?? 'base'),
    })
    return id
  } catch (error) {
    const { message } = toProblem(error)
    context.runs.records.addLog(row.id, {
      time: Date.now(),
      level: 'error',
      message: `the output is not in the library: ${message}`,
    })
    return null
  }
}

/** Brings the database in line with a run folder that no process writes any more, and says how the run stands. */
export async function settleFromFolder(
  context: Context,
  library: Library,
  row: RunRow,
  report: RunReport,
  reason: string,
): Promise<void> {
  const { runs } = context
  const recorder = new RunRecorder(context, row.id, row.folder)
  await recorder.read(false)
  await recorder.close()
  const finished = report.finished === null ? null : Date.parse(report.finished)
  if (report.result) await enterResult(context, library, row, report.result, finished ?? Date.now())
  const failed = report.error !== null && report.error.kind !== 'interrupted'
  const lastStep = runs.metrics.lastStep(row.id)
  runs.update(row.id, {
    state: report.state === 'done' ? 'done' : failed ? 'failed' : 'interrupted',
    reason: report.state === 'done' ? null : failed ? report.error!.message : reason,
    finished: finished ?? Date.now(),
    last_saved_step: report.lastSavedStep > 0 ? report.lastSavedStep : null,
    progress: progressAt(row, lastStep),
    software: JSON.stringify(report.software),
    hardware: JSON.stringify(report.hardware),
    pid: null,
    pid_started: null,
  })
}

function progressAt(row: RunRow, step: number): string | null {
  const known = row.progress === null ? null : (JSON.parse(row.progress) as object)
  if (known === null && step === 0) return null
  const unknown = { stage: 'training', done: step, total: 0, steps: 0, tokensPerSecond: null, memoryBytes: null }
  return JSON.stringify({ ...unknown, ...known, step, secondsLeft: null })
}
