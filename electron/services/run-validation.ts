import type { Job } from '../../engine/contract/index.ts'
import type { RunRow } from '../database/runs.ts'
import type { Context } from './context.ts'
import { summaryOf } from './run-summary.ts'

/** Whether a run was stopped after a step whose validation loss is still to be measured. */
export function awaitsValidation({ runs }: Pick<Context, 'runs'>, row: RunRow, job: Job, step: number): boolean {
  if (step < 1 || !('validation' in job) || job.validation === undefined) return false
  const steps = summaryOf(row, runs).progress?.steps ?? 0
  if (step % job.validationEvery !== 0 && step !== steps) return false
  const [measured] = runs.metrics.series(row.id, { names: ['validationLoss'], from: step, to: step, points: 2 })
  return measured === undefined || measured.steps.length === 0
}
