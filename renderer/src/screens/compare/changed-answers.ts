import { engine, type RunDetail } from '../../../../electron/contract/index.ts'

type Result = Pick<RunDetail, 'joined'>

export interface ChangedAnswers {
  /** Tasks of which both answered the same rows, and what changed from the first run to the second. */
  rows: { task: string; paired: engine.Paired }[]
  /** Tasks that both were scored on, but not on the same rows in the same way, or by a version that kept no answers. */
  other: string[]
}

/** What changed from the answers of one run to those of another. */
export function changedAnswers(before: Result, after: Result): ChangedAnswers {
  const [first, second] = [before, after].map(({ joined }) => joined.scores?.tasks ?? {})
  const found: ChangedAnswers = { rows: [], other: [] }
  for (const [task, score] of Object.entries(second!)) {
    const earlier = Object.hasOwn(first!, task) ? first![task]! : undefined
    if (!earlier) continue
    const isSame = score.asked !== undefined && score.asked === earlier.asked
    if (!isSame || earlier.answers?.length !== score.answers?.length || !earlier.answers) found.other.push(task)
    else found.rows.push({ task, paired: engine.compareAnswers(earlier.answers, score.answers!) })
  }
  return found
}
