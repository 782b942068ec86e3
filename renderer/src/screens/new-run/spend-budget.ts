import type { Draft } from './draft.ts'

/** Settings that say how much leaves, and where, in another way than a budget. */
const others = ['ratio', 'ratioOf', 'targetFraction', 'targetParameters', 'ranking', 'uniform']

/** Takes out of a draft what a budget stands in place of. */
export function leaveRatio(draft: Draft): void {
  for (const key of others) delete draft.values[key]
}

/** Puts a budget into a draft, in place of all that said before how much leaves; null puts none. */
export function spendBudget(draft: Draft, budget: string | null, uniform: boolean): void {
  if (budget === null) return
  leaveRatio(draft)
  draft.values['budget'] = budget
  if (uniform) draft.values['uniform'] = true
}
