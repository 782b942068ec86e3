import type { z } from 'zod'
import type { Setting } from './form.ts'

/** What was put into a field. */
export type TypedValue = string | boolean | string[]

/** The value that a field's content stands for: undefined where it is empty, text that is no number as it is. */
export function valueOf({ input }: Pick<Setting, 'input'>, value: TypedValue | undefined, decimal: string): unknown {
  if (value === undefined || value === '') return undefined
  if ((input.kind === 'number' || input.kind === 'number or path') && typeof value === 'string')
    return parseNumber(value, decimal) ?? value
  if (input.kind === 'choice') return input.options.find((option) => String(option) === value) ?? value
  if (input.kind === 'lines' && Array.isArray(value)) return value.filter((line) => line.trim() !== '')
  return value
}

/** The number that was typed, or null where it is none. Thousands separators are refused: what they mean differs. */
export function parseNumber(text: string, decimal = '.'): number | null {
  const plain = text.trim().replace('−', '-')
  const written = decimal === '.' ? plain : plain.replace(decimal, '.')
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(written) ? Number(written) : null
}

/** What a schema's issue means, in a sentence beside a field. */
export function messageOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'too_small':
      if (issue.origin === 'array') return `Choose at least ${issue.minimum}.`
      if (issue.origin === 'string') return 'This must not be empty.'
      return issue.inclusive ? `Must be ${issue.minimum} or more.` : `Must be more than ${issue.minimum}.`
    case 'too_big':
      if (issue.origin === 'array') return `At most ${issue.maximum} are allowed.`
      if (issue.origin === 'string') return `At most ${issue.maximum} characters are allowed.`
      return issue.inclusive ? `Must be ${issue.maximum} or less.` : `Must be less than ${issue.maximum}.`
    case 'invalid_type':
      if (issue.expected === 'int') return 'Must be a whole number.'
      return issue.expected === 'number' ? 'Must be a number, written without thousands separators.' : 'This is needed.'
    case 'invalid_value':
      return `Must be one of ${issue.values.map(String).join(', ')}.`
    default:
      return `${issue.message}.`
  }
}
