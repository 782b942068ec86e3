import type { ChoicePredictions, ScoredCheckpoint } from '../contract/index.ts'
import { openTask } from '../evaluation/open-task.ts'
import { askedOf } from '../evaluation/task-score.ts'
import type { TaskRow } from '../evaluation/tasks/task.ts'
import { SecateurError } from '../shared/errors.ts'
import { readRunFile, readScores } from './run-files.ts'

/** The questions of a task as a run asked them, by their number in the file, or why they cannot be told. */
export type TaskTexts = { rows: readonly TaskRow[] } | { problem: string }

/** Tells what a run asked, and how, from what others did; undefined in runs of earlier versions. */
export const askedIn = (run: string, which: ScoredCheckpoint, task: string): string | undefined =>
  readScores(run)[which]?.tasks[task]?.asked

/** Where a run was scored on a task; undefined where its job does not say. */
export function taskFileOf(run: string, task: string): string | undefined {
  const { job } = readRunFile(run)
  return 'evaluation' in job ? job.evaluation?.tasks[task] : undefined
}

/**
 * Reads the task file of a run once more: run folders keep the numbers of rows and not their texts, which are large and lie
 * there already.
 */
export async function taskTexts(
  run: string,
  which: ScoredCheckpoint,
  kept: ChoicePredictions,
  signal: AbortSignal,
): Promise<TaskTexts> {
  const { job } = readRunFile(run)
  const settings = 'evaluation' in job ? job.evaluation : undefined
  const file = settings?.tasks[kept.task]
  if (!settings || file === undefined) return { problem: `the job of the run names no file of ${kept.task}` }
  try {
    const { rows, shots } = await openTask(kept.task, settings, signal)
    if (fits(kept, rows)) {
      // What was asked is told of all rows, and the first ones alone may be kept.
      const asked = kept.rows.length < kept.n ? undefined : askedIn(run, which, kept.task)
      const scored = kept.rows.map((row) => rows[row]!)
      if (asked === undefined || asked === askedOf(scored, shots, settings.mode)) return { rows }
    }
    return { problem: `${file} was changed after the run was scored on it` }
  } catch (error) {
    if (error instanceof SecateurError) return { problem: error.message }
    throw error
  }
}

/** Whether rows have the answers, and as many choices, as when they were scored. */
const fits = (kept: ChoicePredictions, rows: readonly TaskRow[]): boolean =>
  kept.rows.every((row, at) => {
    const found = rows[row]
    return (
      found !== undefined && found.gold === kept.gold[at] && found.choices.length === kept.logLikelihoods[at]!.length
    )
  })
