import { engine } from '../../../../electron/contract/index.ts'

type Evaluations = readonly { scores: engine.Scores }[]
export type TaskName = keyof engine.Scores['tasks']

/** Tasks that any of the evaluations has, in the order of the papers' tables. */
export const tasksOf = (evaluations: Evaluations): TaskName[] =>
  engine.taskName.options.filter((task) => evaluations.some(({ scores }) => scores.tasks[task] !== undefined))

/** Names of the texts whose perplexity any of the evaluations has. */
export const textsOf = (evaluations: Evaluations): string[] => [
  ...new Set(evaluations.flatMap(({ scores }) => Object.keys(scores.perplexity))),
]

/** Mean accuracy over the tasks; null unless all of them were scored. */
export function meanOf({ tasks }: engine.Scores, names: readonly TaskName[]): number | null {
  const values = names.flatMap((name) => tasks[name]?.acc ?? [])
  return values.length === names.length && values.length > 0
    ? values.reduce((sum, value) => sum + value, 0) / values.length
    : null
}
