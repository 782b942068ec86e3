import type { FewShot } from './few-shot.ts'
import type { ScoredTask } from './scored-task.ts'
import type { TaskRow } from './tasks/task.ts'

/** Why figures of a task cannot be laid beside published ones; empty where they can. */
export function warnOfComparability(
  { name, title, ...task }: ScoredTask,
  rows: readonly TaskRow[],
  shots: FewShot,
): string[] {
  const doubt = task.doubt?.(rows)
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
