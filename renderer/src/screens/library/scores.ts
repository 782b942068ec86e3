import { engine } from '../../../../electron/contract/index.ts'

type Evaluations = readonly { scores: engine.Scores }[]

/** Tasks that any of the evaluations has: in the order of the papers' tables, and then those of the user's own. */
export function tasksOf(evaluations: Evaluations): string[] {
  const scored = new Set(evaluations.flatMap(({ scores }) => Object.keys(scores.tasks)))
  const known: readonly string[] = engine.taskName.options
  return [
    ...known.filter((task) => scored.has(task)),
    ...[...scored].filter((task) => !known.includes(task)).toSorted(),
  ]
}

/** Names of the texts whose perplexity any of the evaluations has. */
export const textsOf = (evaluations: Evaluations): string[] => [
  ...new Set(evaluations.flatMap(({ scores }) => Object.keys(scores.perplexity))),
]

/** Mean accuracy over the tasks; null unless all of them were scored. */
export function meanOf({ tasks }: engine.Scores, names: readonly string[]): number | null {
  const values = names.flatMap((name) => tasks[name]?.acc ?? [])
  return values.length === names.length && values.length > 0
    ? values.reduce((sum, value) => sum + value, 0) / values.length
    : null
}
