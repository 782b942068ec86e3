import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { openCheckpoint } from '../models/checkpoint.ts'
import type { ResultEvent, SweepJob } from '../contract/index.ts'
import { SecateurError } from '../shared/errors.ts'
import { readJson, writeJson } from '../shared/files.ts'
import type { SweepRun } from './expand.ts'
import { multiplyAdds } from '../models/multiply-adds.ts'
import type { SweepOutcome } from './report.ts'
import { type Metrics, metricsOf, type RunResult } from './summary.ts'
import type { RunnerTask } from '../runners/runner.ts'

/** What is kept of a run that is over, so that its checkpoint is not needed any more. */
const summarySchema = z.object({ multiplyAdds: z.number() })
const summaryFile = 'summary.json'

/** Runs that ended in an error, also those that came no further than to be refused. */
const failuresSchema = z.array(z.object({ name: z.string(), message: z.string() }))
const failuresFile = 'failures.json'
export type SweepFailure = z.infer<typeof failuresSchema>[number]

const [runsFolder, denseFolder] = ['runs', 'dense']
export const runFolderOf = (sweep: string, name: string): string => join(sweep, runsFolder, name)
export const denseFolderOf = (sweep: string): string => join(sweep, denseFolder)

type Settled = Pick<RunnerTask, 'job'>

/** Whether all that is done with the result of a task has been done. */
export const isSettled = (task: Settled, result: ResultEvent): boolean =>
  checkpointOf(task, result) === undefined || existsSync(join(task.job.out, summaryFile))

/** Keeps what the report needs of a task that is over, and of a run's weights only what is wanted. */
export function settle(task: Settled, result: ResultEvent, sweep: Pick<SweepJob, 'keepCheckpoints'>): void {
  const checkpoint = checkpointOf(task, result)
  if (checkpoint === undefined) return
  keepSummary(task.job.out, checkpoint)
  if (sweep.keepCheckpoints || task.job.kind === 'evaluate') return
  for (const part of ['output', 'state']) rmSync(join(task.job.out, part), { recursive: true, force: true })
}

/** What a task has written, or has scored. */
const checkpointOf = ({ job }: Settled, { checkpoint }: ResultEvent): string | undefined =>
  job.kind === 'evaluate' ? job.checkpoint : checkpoint

/** Keeps what the report needs of a checkpoint: it may be gone, or lie on another computer, when the report is written. */
function keepSummary(folder: string, checkpoint: string): void {
  const file = join(folder, summaryFile)
  if (existsSync(file)) return
  using opened = openCheckpoint(checkpoint)
  writeJson(file, { multiplyAdds: multiplyAdds(opened.config) } satisfies z.infer<typeof summarySchema>)
}

/** Multiply-adds of the checkpoint of a task that is over; null where they were not kept. */
function keptMultiplyAdds(folder: string): number | null {
  const file = join(folder, summaryFile)
  return existsSync(file) ? readJson(file, summarySchema).multiplyAdds : null
}

export const keepFailures = (sweep: string, failures: readonly SweepFailure[]): void =>
  writeJson(join(sweep, failuresFile), failures)

export function readFailures(sweep: string): SweepFailure[] {
  const file = join(sweep, failuresFile)
  return existsSync(file) ? readJson(file, failuresSchema) : []
}

/** What runs, by their names, and the dense checkpoint came to. */
export interface SweepFindings {
  results: ReadonlyMap<string, ResultEvent>
  dense: ResultEvent | null
  failures: readonly SweepFailure[]
}

/** Everything that a report is made of. */
export function outcomeOf(
  sweep: SweepJob,
  folder: string,
  runs: readonly SweepRun[],
  { results, dense, failures }: SweepFindings,
): SweepOutcome {
  return {
    sweep,
    results: runs.flatMap((run) => resultOf(run, folder, results.get(run.name)) ?? []),
    runs: runs.length,
    failures,
    dense: dense && denseMetrics(sweep, folder, dense),
    examples: [
      ...(dense?.examples ? [{ name: 'dense', examples: dense.examples, ran: dense.examplesRan }] : []),
      ...runs.flatMap((run) => {
        const { examples, examplesRan: ran } = results.get(run.name) ?? {}
        return examples ? [{ name: titleOf(run), examples, ran }] : []
      }),
    ],
  }
}

function resultOf({ name, varied }: SweepRun, folder: string, result: ResultEvent | undefined): RunResult | null {
  if (!result) return null
  return { name, varied, metrics: metricsOf(result, keptMultiplyAdds(runFolderOf(folder, name))) }
}

/** The time that scoring took is not that of a pruning run. */
function denseMetrics({ checkpoint, cluster }: SweepJob, folder: string, dense: ResultEvent): Metrics {
  const kept = keptMultiplyAdds(denseFolderOf(folder))
  const { seconds: _, ...metrics } = metricsOf(dense, kept ?? (cluster?.via ? null : multiplyAddsOf(checkpoint)))
  return metrics
}

/** Null where the checkpoint is not there any more. */
function multiplyAddsOf(checkpoint: string): number | null {
  try {
    using opened = openCheckpoint(checkpoint)
    return multiplyAdds(opened.config)
  } catch (error) {
    if (error instanceof SecateurError) return null
    throw error
  }
}

const titleOf = ({ varied }: SweepRun): string =>
  Object.entries(varied)
    .map(([setting, value]) => `${setting} ${String(value)}`)
    .join(', ')
