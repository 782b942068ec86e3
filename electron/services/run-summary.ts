import { join } from 'node:path'
import { z } from 'zod'
import { type ClusterSettings, clusterSchema, estimateSchema, jobSchema } from '../../engine/contract/index.ts'
import { isWithin } from '../../engine/shared/allowed-folders.ts'
import { runProgressSchema, type RunDetail, type RunState, type RunSummary } from '../contract/index.ts'
import type { RunOutline, RunRow, RunStore } from '../database/runs.ts'
import { notFound } from '../problems.ts'
import { imageFactsOf, inspectionOf } from './checkpoint-files.ts'
import type { Context } from './context.ts'
import { joinedScores } from './joined-scores.ts'
import { resultOf } from './run-values.ts'

/** States that a run does not leave by itself. */
export const restingStates: readonly RunState[] = ['paused', 'cancelled', 'failed', 'interrupted', 'done']
/** States in which an engine process works for the run, or is about to. */
export const busyStates: readonly RunState[] = ['starting', 'running', 'stopping']

const parsed = <S extends z.ZodType>(schema: S, text: string | null): z.output<S> | null => {
  if (text === null) return null
  const result = schema.safeParse(JSON.parse(text))
  return result.success ? result.data : null
}
const softwareSchema = z.record(z.string(), z.string())
const hardwareSchema = z.record(z.string(), z.union([z.string(), z.number()]))

/** A run whose job cannot be done, and which has no saved state, fails the same way again. */
const isResumable = (row: RunRow): boolean => {
  const { state, last_saved_step } = row
  return (
    state === 'paused' ||
    state === 'cancelled' ||
    state === 'interrupted' ||
    (state === 'failed' && (last_saved_step !== null || clusterOf(row) !== null)) ||
    // Runs of a sweep that could not be done are tried again.
    (state === 'done' && row.kind === 'sweep' && (resultOf(row)?.failedRuns ?? 0) > 0)
  )
}

const onCluster = z.object({ cluster: clusterSchema })

/** The cluster that a sweep, or an evaluation in parts, is done on; null for what this computer does. */
export const clusterOf = ({ job }: Pick<RunRow, 'job'>): ClusterSettings | null =>
  parsed(onCluster, job)?.cluster ?? null

/** The sweep on a cluster that a run belongs to: it is begun, ended and gone on with there. */
export function sweepAbove(row: Pick<RunRow, 'parent_id' | 'folder'>, store: RunStore): RunRow | null {
  const parent = row.parent_id === null ? undefined : store.get(row.parent_id)
  return parent && clusterOf(parent) && isWithin(row.folder, [join(parent.folder, 'runs')]) ? parent : null
}

export function summaryOf(row: RunRow, store: RunStore): RunSummary {
  return {
    id: row.id,
    name: row.name,
    kind: row.kind as RunSummary['kind'],
    state: row.state,
    reason: row.reason,
    folder: row.folder,
    device: row.device,
    checkpointId: row.checkpoint_id,
    checkpointName: row.checkpoint_name,
    outputId: row.output_id,
    created: row.created,
    started: row.started,
    finished: row.finished,
    lastSavedStep: row.last_saved_step,
    resumable: isResumable(row) && !store.unwritten.has(row.id),
    progress: parsed(runProgressSchema, row.progress),
    archived: row.archived === 1,
    tags: store.tags.of(row.id),
    notes: row.notes,
    result: resultOf(row),
  }
}

/** Where the checkpoint of a run lies now, which may have been moved since; null where the library has it no more. */
export function checkpointPathOf(
  { checkpoints }: Pick<Context, 'checkpoints'>,
  { checkpoint_id }: Pick<RunRow, 'checkpoint_id'>,
): string | null {
  const checkpoint = checkpoint_id === null ? undefined : checkpoints.get(checkpoint_id)
  return checkpoint && checkpoint.removed === null ? checkpoint.path : null
}

/** @throws ZodError where the job was written by a version that knew other settings */
export function detailOf(row: RunRow, { runs: store, checkpoints }: Pick<Context, 'runs' | 'checkpoints'>): RunDetail {
  const checkpoint = row.checkpoint_id === null ? undefined : checkpoints.get(row.checkpoint_id)
  const inspection = checkpoint && inspectionOf(checkpoint)
  return {
    ...summaryOf(row, store),
    job: jobSchema.parse(JSON.parse(row.job)),
    estimate: parsed(estimateSchema, row.estimate),
    parentId: row.parent_id,
    sweepId: sweepAbove(row, store)?.id ?? null,
    joined: joinedScores({ runs: store }, row),
    checkpointPath: checkpointPathOf({ checkpoints }, row),
    layersBefore: inspection?.kind === 'checkpoint' ? inspection.layers : null,
    ofImages: checkpoint !== undefined && imageFactsOf(inspection!) !== null,
    metricNames: [...store.metrics.counts(row.id).keys()],
    samplePrompts: store.records.prompts(row.id),
    pruningSteps: store.records.snapshotSteps(row.id),
    software: parsed(softwareSchema, row.software) ?? {},
    hardware: parsed(hardwareSchema, row.hardware) ?? {},
  }
}

/** @throws ProblemError where the run is not in the history */
export function rowOf({ runs }: Pick<Context, 'runs'>, id: number): RunRow {
  const row = runs.get(id)
  if (!row || row.removed !== null) throw notFound('run', id)
  return row
}

/** @throws ProblemError where one of them is not there */
export function outlinesOf({ runs }: Pick<Context, 'runs'>, ids: readonly number[]): RunOutline[] {
  const found = runs.outlines(ids)
  const known = new Set(found.map(({ id }) => id))
  const missing = ids.find((id) => !known.has(id))
  if (missing !== undefined) throw notFound('run', missing)
  return found
}
