import { engine } from '../../electron/contract/index.ts'
import { count, percent } from './format.ts'

/** How much of each kind is removed, beside what was asked for, and what is kept of a budget. */
export const removalFacts = (removal: engine.Removal): { name: string; value: string; detail: string }[] => [
  ...sharesOf(removal),
  ...(removal.budget ? [budgetFact(removal.budget)] : []),
]

function budgetFact({ measure, before, planned, actual }: engine.BudgetSpent) {
  // That parameters are counted stands above it.
  const text = (value: number) => (measure === 'parameters' ? count(value) : engine.amountText(measure, value))
  return { name: 'Kept of the budget', value: text(actual), detail: `at most ${text(planned)} of ${text(before)}` }
}

const sharesOf = (removal: engine.Removal) =>
  [
    { name: 'Heads removed', share: removal.heads },
    { name: 'Channels removed', share: removal.channels },
    { name: 'Parameters removed', share: removal.parameters },
  ].map(({ name, share }) => ({
    name,
    value: percent(share.actual, 1),
    detail: detailOf(percent(share.actual, 1), percent(share.planned, 1)),
  }))

/** What was planned is worth saying where it came otherwise. */
const detailOf = (actual: string, planned: string) => (actual === planned ? '' : `planned ${planned}`)
