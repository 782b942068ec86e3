import type { PictureOutcome, Request, ScoredByRun } from '../../../../../electron/contract/index.ts'

/** Which pictures are looked at: names are those of classes. */
export interface PictureChoice {
  readonly outcome: PictureOutcome
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

export const changedOnes: PictureChoice = { outcome: 'changed', label: null, predictedBefore: null, predicted: null }

/** What two checkpoints can be asked for, or one alone. */
export const outcomesOf = (isPair: boolean): readonly PictureOutcome[] =>
  isPair ? ['changed', 'right-to-wrong', 'wrong-to-right', 'both-wrong', 'all'] : ['wrong', 'all']

export const outcomeName: Record<PictureOutcome, string> = {
  changed: 'Changed',
  'right-to-wrong': 'Right to wrong',
  'wrong-to-right': 'Wrong to right',
  'both-wrong': 'Wrong in both',
  wrong: 'Wrong',
  all: 'All pictures',
}

/** The choice with an outcome that there is. */
export function fitting(choice: PictureChoice, isPair: boolean): PictureChoice {
  const outcomes = outcomesOf(isPair)
  return outcomes.includes(choice.outcome) ? choice : { ...choice, outcome: outcomes[0]! }
}

/** What is asked of the main side. */
export function asked(
  { outcome, label, predictedBefore, predicted }: PictureChoice,
  before: Source | null,
  after: Source,
  page: { offset: number; limit: number },
): Request<'pictures.compare'> {
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

/** As a person reads it: very small ones are not written out. */
export const likelihoodText = (p: number, decimals: (value: number, digits: number) => string): string =>
  p < 0.001 ? 'p < 0.001' : `p = ${decimals(p, 3)}`
