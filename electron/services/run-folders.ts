import { existsSync } from 'node:fs'
import { readdir, realpath, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { type ResultEvent, type RunReport, scoresOf } from '../../engine/contract/index.ts'
import { isWithin } from '../../engine/shared/allowed-folders.ts'
import { modelName } from '../../engine/shared/model-name.ts'
import type { CheckpointRow } from '../database/checkpoints.ts'
import { emptyRow, type RunRow } from '../database/runs.ts'
import { isStorageTrouble, toProblem } from '../problems.ts'
import { requireAllowedWithin } from './allowed-paths.ts'
import type { Context } from './context.ts'
import { exists } from './files.ts'
import { pathsOfJob } from './job-paths.ts'
import { putMetrics, putMetricsOfEvaluated } from './joined-scores.ts'
import type { Library } from './library.ts'
import { enterLog } from './run-log.ts'
import { RunRecorder } from './run-recorder.ts'
import { settingsOf } from './run-values.ts'

const kindOfOutput: Record<string, CheckpointRow['kind']> = {
  prune: 'pruned',
  finetune: 'adapter',
  merge: 'merged',
  export: 'exported',
}

/** Enters a run's result into the database: its scores, and its output into the library. */
export async function enterResult(
  context: Context,
  library: Library,
  row: RunRow,
  result: ResultEvent,
  finished: number,
): Promise<void> {
  const { db, runs } = context
  if (row.kind === 'sweep') await enterSweep(context, library, row, true)
  const output = row.kind === 'evaluate' ? null : await enterOutput(context, library, row, result)
  const scores = scoresOf(result)
  const scored = row.kind === 'evaluate' ? await evaluatedBy(context, row) : output
  db.transaction(() => {
    if (scores) runs.records.putEvaluation(row.id, 'result', scored, finished, scores)
    if (result.dense) runs.records.putEvaluation(row.id, 'dense', denseOf(context, row), finished, result.dense)
    const { parameters, removal, data, failedRuns, loss, validation, seconds, peakMemoryBytes, dense, besideDense } =
      result
    const exported = result.export
    runs.update(row.id, {
      output_id: output,
      result: JSON.stringify({
        ...(parameters && { parameters }),
        ...(removal && { removal }),
        ...(data && { rows: data }),
        ...(loss !== undefined && { loss }),
        ...(validation && { validation }),
        ...(seconds !== undefined && { seconds }),
        ...(peakMemoryBytes !== undefined && { peakMemoryBytes }),
        ...(failedRuns !== undefined && { failedRuns }),
        ...(exported && { export: exported }),
        ...(scores && { scores }),
        ...(dense && { denseScores: dense }),
        ...(besideDense && { besideDense }),
      }),
    })
    putMetrics(context, runs.get(row.id)!)
    putMetricsOfEvaluated(context, [row.id])
  })()
}

/** What an evaluation scored: with an adapter it is that, and not the checkpoint below it. */
async function evaluatedBy(context: Context, row: RunRow): Promise<number | null> {
  return (await adapterOf(context, row)) ?? row.checkpoint_id
}

/** The adapter that a run reads, in the library. */
async function adapterOf({ checkpoints }: Context, row: RunRow): Promise<number | undefined> {
  for (const { field, path } of pathsOfJob(JSON.parse(row.job) as object))
    if (field === 'adapter') return checkpoints.byPath(await realpath(path).catch(() => path))?.id
  return undefined
}

/** The dense checkpoint of a run in the library: what was pruned, or what an evaluation compared with. */
function denseOf({ checkpoints }: Context, row: RunRow): number | null {
  if (row.kind !== 'evaluate') return row.checkpoint_id
  const { compareWith } = JSON.parse(row.job) as { compareWith?: string }
  return (compareWith !== undefined && checkpoints.byPath(compareWith)?.id) || null
}

async function enterOutput(
  context: Context,
  library: Library,
  row: RunRow,
  result: ResultEvent,
): Promise<number | null> {
  const named = result.checkpoint ?? result.adapter ?? result.export?.file
  if (named === undefined) return null
  const note = (level: 'info' | 'error', message: string) =>
    void context.runs.records.addLog(row.id, { time: Date.now(), level, message })
  try {
    // A folder that was moved, or came from another computer, names the place where it was made.
    const inFolder = join(row.folder, 'output')
    const folder = result.export ? row.folder : (await exists(inFolder)) ? inFolder : named
    if (!(await exists(folder))) {
      // A sweep may keep scores alone.
      note('info', 'the output was not kept, so that the library does not have it')
      return null
    }
    if (!isWithin(folder, [row.folder])) return null
    const { id } = await library.add(folder, 'run-output', {
      run: row,
      parents: await parentsOf(context, row),
      // An export is called as its file is.
      ...(result.export ? {} : { name: row.name }),
      kind: result.adapter !== undefined ? 'adapter' : (kindOfOutput[row.kind] ?? 'base'),
    })
    return id
  } catch (error) {
    if (isStorageTrouble(error)) throw error
    note('error', `the output is not in the library: ${toProblem(error).message}`)
    return null
  }
}

/** The checkpoint that a run read, and the adapter that it merged. */
async function parentsOf(context: Context, row: RunRow): Promise<number[]> {
  const adapter = await adapterOf(context, row)
  return [...(row.checkpoint_id === null ? [] : [row.checkpoint_id]), ...(adapter === undefined ? [] : [adapter])]
}

/**
 * Every run of a sweep is a run of its own, to be found and compared. Those that failed or were stopped are left out while
 * the sweep can be resumed, since that goes on with them.
 */
export async function enterSweep(context: Context, library: Library, row: RunRow, isOver: boolean): Promise<void> {
  const folder = join(row.folder, 'runs')
  for (const name of await readdir(folder).catch(() => [])) {
    try {
      const report = await context.engine.request('readRunFolder', { path: join(folder, name) })
      const known = context.runs.byFolder(join(folder, name))
      // One that could not be done before may be done by now.
      if (known && report.state === 'done' && ['failed', 'interrupted'].includes(known.state))
        await settleFromFolder(context, library, known, report, '')
      if (known || (report.state !== 'done' && !isOver)) continue
      await enterFolder(context, library, join(folder, name), report, {
        name: `${row.name}: ${name}`,
        parentId: row.id,
      })
    } catch (error) {
      if (isStorageTrouble(error)) throw error
      const { message } = toProblem(error)
      context.runs.records.addLog(row.id, { time: Date.now(), level: 'warning', message: `${name}: ${message}` })
    }
  }
}

/** Enters a run folder that no process writes into the history. @returns the run's id */
export async function enterFolder(
  context: Context,
  library: Library,
  path: string,
  report: RunReport,
  { name, parentId = null }: { name?: string; parentId?: number | null } = {},
): Promise<number> {
  const { db, runs, options } = context
  const folder = await realpath(path)
  const { job } = report
  await requireAllowedWithin(options.platform, [folder])
  const checkpoint = await library.add(job.checkpoint, 'in-place').catch(() => null)
  const started = Date.parse(report.started)
  const id = db.transaction(() => {
    const inserted = runs.insert({
      ...emptyRow,
      name: name ?? basename(folder),
      kind: job.kind,
      state: 'interrupted',
      folder,
      device: 'device' in job ? job.device : null,
      checkpoint_id: checkpoint?.id ?? null,
      checkpoint_name: checkpoint?.name ?? modelName(job.checkpoint),
      parent_id: parentId,
      created: started,
      started,
      job: JSON.stringify({ ...job, out: folder }),
    })
    runs.putValues(inserted, 'setting', settingsOf(job))
    return inserted
  })()
  await settleFromFolder(context, library, runs.get(id)!, report, 'It had not ended when it was imported.')
  context.emit('runsChanged', { ids: [id] })
  return id
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
  await enterLog(context, row.id, row.folder)
  for (const message of report.warnings) runs.records.addLog(row.id, { time: Date.now(), level: 'warning', message })
  const finished = report.finished === null ? null : Date.parse(report.finished)
  if (report.result) await enterResult(context, library, row, report.result, finished ?? Date.now())
  else if (row.kind === 'sweep') await enterSweep(context, library, row, false)
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

/**
 * Enters an export that ended after the app did. What it writes appears whole or not at all, so that it is done; what its
 * proof said was told to nobody.
 */
export async function settleExport(context: Context, library: Library, row: RunRow): Promise<void> {
  const { runs } = context
  const { bytes, parameters, dtype } = await library.add(row.folder, 'run-output')
  const { type = dtype } = JSON.parse(row.job) as { type?: string }
  const written = { file: row.folder, bytes, type, bitsPerWeight: (8 * bytes) / parameters }
  await enterResult(context, library, row, { type: 'result', export: written }, Date.now())
  const message = 'The app ended before the export did: it is whole, but what its proof said is lost.'
  runs.records.addLog(row.id, { time: Date.now(), level: 'warning', message })
  runs.update(row.id, { state: 'done', reason: null, finished: Date.now(), pid: null, pid_started: null })
}

function progressAt(row: RunRow, step: number): string | null {
  const known = row.progress === null ? null : (JSON.parse(row.progress) as object)
  if (known === null && step === 0) return null
  const unknown = { stage: 'training', done: step, total: 0, steps: 0, tokensPerSecond: null, memoryBytes: null }
  return JSON.stringify({ ...unknown, ...known, step, secondsLeft: null })
}

/** Whether an engine has begun to write a run in a folder. */
export const isRunFolder = (folder: string): boolean => existsSync(join(folder, 'run.json'))

/** Takes away a folder in which a killed process left no more than its lock. */
export async function removeBegun(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => [])
  if (names.length > 0 && names.every((name) => name === 'lock.json' || /\.(partial|stale)$/.test(name)))
    await rm(folder, { recursive: true })
}
