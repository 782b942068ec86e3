import type { Draft } from './draft.ts'

/** Settings that say how much leaves, and where, in another way than a budget. */
const others = ['ratio', 'ratioOf', 'targetFraction', 'targetParameters', 'ranking', 'uniform']

/** Puts a budget into a draft, in place of all that said before how much leaves; null puts none. */
export function spendBudget(draft: Draft, budget: string | null, uniform: boolean): void {
  if (budget === null) return
  for (const key of others) delete draft.values[key]
  draft.values['budget'] = budget
  if (uniform) draft.values['uniform'] = true
}
