import { type EvaluationSettings, isTaskName, taskDescriptions } from '../contract/index.ts'
import { badSetting } from '../shared/errors.ts'
import type { FewShot } from './few-shot.ts'
import { readOwnTask } from './own-task/read-own-task.ts'
import { readTask } from './read-task.ts'
import { type ScoredTask, scoredTask } from './scored-task.ts'
import { shotsOf } from './shots.ts'
import type { TaskRow } from './tasks/task.ts'

/** A task whose files are read. */
export interface OpenedTask {
  task: ScoredTask
  rows: TaskRow[]
  shots: FewShot
  /** What the task file of the user's own task says. */
  config?: object
}

/**
 * Reads the rows of a task that the settings name, and the solved examples in front of them: of a task that Secateur knows
 * from its data files, of any other from the task file of the user's own.
 *
 * @throws SecateurError that names the file, the row and the field
 */
export async function openTask(name: string, settings: EvaluationSettings, signal: AbortSignal): Promise<OpenedTask> {
  const { fewShot, fewShotFrom, mode } = settings
  const file = settings.tasks[name]!
  refuseLegacy(name, mode)
  if (!isTaskName(name)) return readOwnTask(name, file, { count: fewShot, from: fewShotFrom[name] }, signal)
  return {
    task: scoredTask(name),
    rows: await readTask(name, file, signal),
    shots: await shotsOf(name, settings, signal),
  }
}

/** The papers' harness has its own prompts for these, which nobody's tables show. */
function refuseLegacy(name: string, mode: EvaluationSettings['mode']): void {
  if (mode === 'modern') return
  if (isTaskName(name) && name !== 'mmlu' && taskDescriptions[name].examples !== null) return
  throw badSetting('mode', `${name} is scored as today's lm-evaluation-harness does only: ask for --mode modern`)
}
