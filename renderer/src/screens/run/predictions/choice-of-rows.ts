import type { AnswerOutcome, ChoiceOrder, ComparedChoices, Request } from '../../../../../electron/contract/index.ts'
import { csvLine } from '../../../csv.ts'
import { outcomesOf, type Source } from '../images/outcome-choice.ts'

/** Which rows of which task are looked at. */
export interface RowChoice {
  readonly task: string
  readonly outcome: AnswerOutcome
  readonly metric: 'acc' | 'accNorm'
  readonly search: string
  /** Nats; null where margins do not matter. */
  readonly within: number | null
  readonly order: ChoiceOrder
}

export const firstChoice = (task: string, isPair: boolean): RowChoice => ({
  task,
  outcome: outcomesOf(isPair)[0]!,
  metric: 'acc',
  search: '',
  within: null,
  order: 'file',
})

export const margins = ['0.1', '0.5', '1', '2'] as const
export const orderName: Record<ChoiceOrder, string> = {
  file: 'as in the file',
  margin: 'least certain first',
  change: 'largest fall of the margin first',
}

/** What is asked of the main side. */
export function askedRows(
  { within, ...choice }: RowChoice,
  before: Source | null,
  after: Source,
  page: { offset: number; limit: number },
): Request<'predictions.compare'> {
  return {
    ...(before && { before: before.by }),
    after: after.by,
    ...choice,
    ...(within !== null && { within }),
    ...page,
  }
}

type Row = ComparedChoices['rows'][number]
export type Exported = 'csv' | 'jsonl'

/** Rows as other programs take them: numbers as they are, a line for each choice in CSV and for each row in JSON lines. */
export function exportedRows(rows: readonly Row[], as: Exported): string {
  if (as === 'jsonl') return rows.map((row) => `${JSON.stringify(row)}\n`).join('')
  return rows.flatMap(choiceLines).map(csvLine).join('')
}

const csvHead = [
  'row',
  'question',
  'choice',
  'text',
  'gold',
  'before_log_likelihood',
  'before_predicted',
  'after_log_likelihood',
  'after_predicted',
]
export const exportHead = (as: Exported): string => (as === 'csv' ? csvLine(csvHead) : '')

const choiceLines = ({ row, question, choices, gold, before, after }: Row) =>
  after.logLikelihoods.map((value, at) => [
    row,
    question,
    at,
    choices?.[at] ?? null,
    Number(at === gold),
    before?.logLikelihoods[at] ?? null,
    before ? Number(before.predicted === at) : null,
    value,
    Number(after.predicted === at),
  ])
