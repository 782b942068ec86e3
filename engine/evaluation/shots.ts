import type { EvaluationSettings, TaskName } from '../contract/index.ts'
import { badSetting } from '../shared/errors.ts'
import type { FewShot } from './few-shot.ts'
import { readTask } from './read-task.ts'

/** Solved examples of a task: drawn from its train file where one is named, and otherwise from what is scored. */
export async function shotsOf(
  name: TaskName,
  { fewShot, fewShotFrom }: EvaluationSettings,
  signal: AbortSignal,
): Promise<FewShot> {
  const file = fewShotFrom[name]
  return { count: fewShot, ...(file !== undefined && { examples: await readTask(name, file, signal) }) }
}

/** @throws SecateurError where a train file would have no effect. */
export function checkShots({ fewShot, fewShotFrom, tasks }: EvaluationSettings): void {
  for (const name of Object.keys(fewShotFrom) as TaskName[]) {
    if (fewShot === 0)
      throw badSetting('few-shot-from', 'examples are drawn with --few-shot only: say how many a row gets')
    if (tasks[name] === undefined)
      throw badSetting('few-shot-from', `${name} is not scored: give its file with --task ${name}=FILE`)
  }
}
