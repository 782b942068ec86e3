import { taskDescriptions, type TaskName } from '../contract/index.ts'
import type { FewShot } from './few-shot.ts'
import { tasks } from './tasks/index.ts'
import type { TaskRow } from './tasks/task.ts'

/** Why figures of a task cannot be laid beside published ones; empty where they can. */
export function warnOfComparability(name: TaskName, rows: readonly TaskRow[], shots: FewShot): string[] {
  const { title } = taskDescriptions[name]
  const doubt = tasks[name].doubt?.(rows)
  return [
    ...(shots.count > 0 && shots.examples === undefined
      ? [
          `the few-shot examples of ${title} are drawn from its scored rows; published figures have them from the train ` +
            `split, and cannot be compared: name that file with --few-shot-from ${name}=FILE`,
        ]
      : []),
    ...(doubt === undefined ? [] : [doubt]),
  ]
}
