import { type Budget, parseBudget } from '../../contract/index.ts'

/** What may be kept at most by a budget, of what a checkpoint costs. */
export const limitOf = ({ unit, value }: Pick<Budget, 'unit' | 'value'>, before: number): number =>
  unit === 'share' ? value * before : unit === 'times' ? before / value : value

/** What a checkpoint costs, and the least that it can be brought to. */
interface Range {
  before: number
  least: number
}

/** Budgets as a job takes them: the one that keeps least and the one that keeps most of those that can be met. */
export interface Bounds {
  least: string
  most: string
}

/** Digits after the point at most. */
const mostDigits = 12

/**
 * The bounds of the budgets that can be met, in a unit. Rounded to the nearest number they might be refused themselves: they
 * have few digits, and more where the range is narrow.
 *
 * @returns null where nothing can leave
 */
export function boundsOf({ measure, unit }: Omit<Budget, 'value'>, range: Range): Bounds | null {
  const { before, least } = range
  const { letters, factor, digits: few } = formOf({ measure, unit }, least)
  const isMet = (text: string): boolean => {
    const budget = parsed(text)
    if (budget?.unit !== unit) return false
    const limit = limitOf(budget, before)
    return limit < before && limit >= least
  }
  const [lowest, highest] =
    unit === 'share' ? [least / before, 1] : unit === 'times' ? [before / least, 1] : [least / factor, before / factor]
  for (let digits = few; digits <= mostDigits; digits++) {
    const nearest = (value: number, direction: 1 | -1) => {
      const whole = direction === 1 ? Math.ceil(value * 10 ** digits) : Math.floor(value * 10 ** digits)
      // The number itself may be the one that is not met, and what is computed with it a hair off.
      return [whole, whole + direction, whole + 2 * direction]
        .map((number) => `${measure}=${(number / 10 ** digits).toFixed(digits)}${letters}`)
        .find(isMet)
    }
    const isFaster = unit === 'times'
    const [from, to] = [nearest(lowest, isFaster ? -1 : 1), nearest(highest, isFaster ? 1 : -1)]
    if (from !== undefined && to !== undefined) return { least: from, most: to }
  }
  return null
}

/** Letters behind a budget's number, what they stand for, and its digits after the point. */
function formOf(
  { measure, unit }: Omit<Budget, 'value'>,
  least: number,
): { letters: string; factor: number; digits: number } {
  if (unit === 'share') return { letters: '', factor: 1, digits: 4 }
  if (unit === 'times') return { letters: 'x', factor: 1, digits: 3 }
  if (measure === 'parameters') return { letters: '', factor: 1, digits: 0 }
  if (measure !== 'memory') return { letters: 'ms', factor: 1, digits: least < 10 ? 2 : least < 100 ? 1 : 0 }
  if (least >= 1e9) return { letters: 'GB', factor: 1e9, digits: 2 }
  return least >= 1e6 ? { letters: 'MB', factor: 1e6, digits: 1 } : { letters: 'KB', factor: 1e3, digits: 1 }
}

function parsed(text: string): Budget | null {
  try {
    return parseBudget(text)
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}
