import type { AnswerOutcome, engine, Request, ScoredByRun } from '../../../../../electron/contract/index.ts'
import { count } from '../../../format.ts'

/** Which images are looked at: names are those of classes. */
export interface OutcomeChoice {
  readonly outcome: AnswerOutcome
  readonly label: string | null
  /** What the first checkpoint took them for, and the second. */
  readonly predictedBefore: string | null
  readonly predicted: string | null
}

/** A checkpoint that can be chosen. */
export interface Source {
  readonly key: string
  readonly label: string
  readonly by: ScoredByRun
}

export const changedOnes: OutcomeChoice = { outcome: 'changed', label: null, predictedBefore: null, predicted: null }

/** What two checkpoints can be asked for, or one alone. */
export const outcomesOf = (isPair: boolean): readonly AnswerOutcome[] =>
  isPair ? ['changed', 'right-to-wrong', 'wrong-to-right', 'both-wrong', 'all'] : ['wrong', 'all']

const outcomeName: Record<Exclude<AnswerOutcome, 'all'>, string> = {
  changed: 'Changed',
  'right-to-wrong': 'Right to wrong',
  'wrong-to-right': 'Wrong to right',
  'both-wrong': 'Wrong in both',
  wrong: 'Wrong',
}

/** Outcomes to choose from, with the number of those that are known. */
export function outcomeOptions(
  isPair: boolean,
  what: 'images' | 'rows',
  paired: Pick<engine.Paired, 'rightToWrong' | 'wrongToRight'> | null | undefined,
): { value: AnswerOutcome; label: string }[] {
  const known = { 'right-to-wrong': paired?.rightToWrong, 'wrong-to-right': paired?.wrongToRight } as const
  return outcomesOf(isPair).map((value) => {
    if (value === 'all') return { value, label: `All ${what}` }
    const n = value in known ? known[value as keyof typeof known] : undefined
    return { value, label: n === undefined ? outcomeName[value] : `${outcomeName[value]} (${count(n)})` }
  })
}

/** The choice with an outcome that there is. */
export function fitting(choice: OutcomeChoice, isPair: boolean): OutcomeChoice {
  const outcomes = outcomesOf(isPair)
  return outcomes.includes(choice.outcome) ? choice : { ...choice, outcome: outcomes[0]! }
}

/** What is asked of the main side. */
export function asked(
  { outcome, label, predictedBefore, predicted }: OutcomeChoice,
  before: Source | null,
  after: Source,
  page: { offset: number; limit: number },
): Request<'images.compare'> {
  return {
    ...(before && { before: before.by }),
    after: after.by,
    outcome,
    ...(label !== null && { label }),
    ...(predictedBefore !== null && { predictedBefore }),
    ...(predicted !== null && { predicted }),
    ...page,
  }
}
