import { type EvaluationSettings, examplesOf, isTaskName, taskDescriptions, type TaskName } from '../contract/index.ts'
import { badSetting } from '../shared/errors.ts'
import type { FewShot } from './few-shot.ts'
import { readTask } from './read-task.ts'
import { mmluDescription } from './tasks/mmlu-subjects.ts'

/**
 * Solved examples of a task: drawn from its train file where one is named, and otherwise from what is scored. Those of MMLU
 * are the first ones of the row's subject in the dev split.
 */
export async function shotsOf(
  name: TaskName,
  { tasks, fewShot, fewShotFrom }: EvaluationSettings,
  signal: AbortSignal,
): Promise<FewShot> {
  const count = examplesOf(name, fewShot)
  const file = fewShotFrom[name]
  if (name === 'mmlu') {
    const examples = count === 0 ? [] : await readTask(name, file ?? tasks[name]!, signal, 'dev')
    return { count, examples, first: true, description: ({ part }) => mmluDescription(part!) }
  }
  return {
    count,
    ...(count > 0 && file !== undefined && { examples: await readTask(name, file, signal) }),
  }
}

/** @throws SecateurError where examples cannot be shown, or a train file would have no effect. */
export function checkShots({ fewShot, fewShotFrom, tasks }: EvaluationSettings): void {
  for (const name of Object.keys(fewShotFrom)) {
    if (isTaskName(name) && examplesOf(name, fewShot) === 0)
      throw badSetting('few-shot-from', 'examples are drawn with --few-shot only: say how many a row gets')
    if (tasks[name] === undefined)
      throw badSetting('few-shot-from', `${name} is not scored: give its file with --task ${name}=FILE`)
  }
  for (const name of Object.keys(tasks))
    if (isTaskName(name) && taskDescriptions[name].examples === null && (fewShot ?? 0) > 0)
      throw badSetting('few-shot', `${taskDescriptions[name].title} is scored without examples: score it by itself`)
}
