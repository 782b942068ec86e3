import { z } from 'zod'

/** What a schema's own words do not say, as the end of a sentence that starts with a field: "--ratio: must be 0.95 or less". */
export function issueText(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined
        ? 'is missing'
        : `must be ${typeName(issue.expected)}, and is ${typeOf(issue.input)}`
    case 'too_small': {
      const { minimum, origin } = issue
      if (origin === 'string' && Number(minimum) === 1) return 'must not be empty'
      if (origin in sized) return `must have at least ${sizeText(origin, minimum)}`
      return `must be ${issue.inclusive ? `${minimum} or more` : `more than ${minimum}`}${found(issue.input)}`
    }
    case 'too_big': {
      const { maximum, origin } = issue
      if (origin in sized) return `must have at most ${sizeText(origin, maximum)}`
      return `must be ${issue.inclusive ? `${maximum} or less` : `less than ${maximum}`}${found(issue.input)}`
    }
    case 'invalid_value':
      return `must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map(written).join(', ')}${found(issue.input)}`
    case 'unrecognized_keys':
      return `has ${issue.keys.length > 1 ? 'fields that are' : 'a field that is'} not known: ${issue.keys.map(written).join(', ')}`
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}${found(issue.input)}`
    default:
      return issue.input === undefined ? 'is missing' : 'is not valid'
  }
}

const sized: Readonly<Record<string, readonly [one: string, many: string]>> = {
  string: ['character', 'characters'],
  array: ['entry', 'entries'],
  set: ['entry', 'entries'],
  map: ['entry', 'entries'],
}
const sizeText = (origin: string, size: number | bigint) => `${size} ${sized[origin]![Number(size) === 1 ? 0 : 1]}`

const typeNames: Readonly<Record<string, string>> = {
  number: 'a number',
  int: 'a whole number',
  bigint: 'a whole number',
  string: 'text',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'an object in braces',
  record: 'an object in braces',
  null: 'null',
}
const typeName = (type: string) => typeNames[type] ?? type

/** The value where it is short, and else what kind of value it is. */
function typeOf(value: unknown): string {
  if (Number.isNaN(value)) return 'none'
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return String(value)
  if (typeof value === 'string' && value.length <= longestShown) return written(value)
  return typeName(Array.isArray(value) ? 'array' : typeof value)
}

const longestShown = 40
const written = (value: unknown) => (typeof value === 'string' ? `"${value}"` : String(value))
const found = (value: unknown) => (value === undefined ? '' : `, and is ${typeOf(value)}`)

/** Every error of a schema says it in these words, unless the schema has better ones. */
export const sayPlainly = (): void => void z.config({ localeError: (issue) => issueText(issue) })
