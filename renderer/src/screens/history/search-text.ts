import type { Column, Condition } from '../../../../electron/contract/index.ts'
import { presentationOf } from '../new-run/presentation.ts'
import { columnLabel } from './columns.ts'
import { typedNumber, typedTime, typedWord } from './typed-value.ts'

/** What is typed into the search of the history: words to look for, and what is asked of columns. */
export interface Searched {
  readonly words: string
  readonly where: readonly Condition[]
  /** What could not be understood, and is left out. */
  readonly problems: readonly string[]
}

type Op = Condition['op']
const operators: Readonly<Record<string, Op>> = {
  '<': '<',
  '<=': '<=',
  '>': '>',
  '>=': '>=',
  '=': '=',
  '==': '=',
  '!=': '!=',
  ':': 'contains',
}
/** As many words as the name of a column may have. */
const longestName = 6

/** Words, texts in quotes, and operators. */
const parts = (text: string) =>
  text.match(/"[^"]*"?|\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2})?|<=|>=|!=|==|[<>=:]|[^\s"<>=:!]+|!/g) ?? []
const unquoted = (part: string) => part.replaceAll('"', '')

/**
 * `paper ratio > 0.3 tag:best created >= 2026-11-01` as the word "paper" and three conditions. Columns go by the names that
 * they have on the screen or in files, and settings by those of other programs too.
 */
export function searchedFor(text: string, columns: readonly Column[], now = Date.now()): Searched {
  const words: string[] = []
  const where: Condition[] = []
  const problems: string[] = []
  const all = parts(text)
  for (let at = 0; at < all.length; at++) {
    const part = all[at]!
    const op = Object.hasOwn(operators, part) ? operators[part] : undefined
    if (op === undefined) {
      words.push(part)
      continue
    }
    const named = takeName(words, columns)
    const value = all[at + 1]
    // A colon stands in names and texts too.
    if (named.columns.length === 0 && op === 'contains') continue
    at++
    const understood = conditionsOf(named, op, part, value === undefined ? '' : unquoted(value), now)
    if (named.columns.length === 0) words.pop()
    if (typeof understood === 'string') problems.push(understood)
    else where.push(...understood)
  }
  return { words: words.join(' '), where, problems }
}

interface Named {
  typed: string
  columns: readonly Column[]
}

/** The column whose name the last words are, taken from them: the longest that is one. */
function takeName(words: string[], columns: readonly Column[]): Named {
  for (let length = Math.min(longestName, words.length); length > 0; length--) {
    const typed = words.slice(-length).map(unquoted).join(' ')
    const found = columnsCalled(typed, columns)
    if (found.length === 0) continue
    words.splice(-length)
    return { typed, columns: found }
  }
  return { typed: unquoted(words.at(-1) ?? ''), columns: [] }
}

const plain = (text: string) => text.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, '')
const nameOf = ({ key }: Column) => key.replace(/^(setting|metric)\./, '')

/** Columns of a name, from what is surely meant to what may be; several only where it fits them equally well. */
function columnsCalled(typed: string, columns: readonly Column[]): Column[] {
  const wanted = plain(typed)
  if (wanted === '') return []
  const ways: ((column: Column) => boolean)[] = [
    ({ key }) => plain(key) === wanted || facts[wanted] === key,
    (column) => plain(nameOf(column)) === wanted,
    (column) => plain(columnLabel(column)) === wanted,
    (column) => plain(nameOf(column).replace(/\.acc$/, '')) === wanted,
    ({ key }) => key.startsWith('setting.') && otherNames(key.slice('setting.'.length)).includes(typed.toLowerCase()),
    (column) => wanted.length > 3 && plain(columnLabel(column)).startsWith(wanted),
  ]
  for (const isCalled of ways) {
    const found = columns.filter(isCalled)
    if (found.length > 0) return found
  }
  return []
}

/** What facts are called as well. */
const facts: Readonly<Record<string, string>> = {
  tag: 'tags',
  date: 'created',
  model: 'checkpoint',
  time: 'duration',
  note: 'notes',
}

/** Names that a setting has in other programs. */
const otherNames = (setting: string): string[] =>
  (presentationOf(setting).also ?? '').split(' ').filter((name) => /_|^lr$/.test(name))

function conditionsOf(
  { typed, columns }: Named,
  op: Op,
  sign: string,
  value: string,
  now: number,
): Condition[] | string {
  const [column, other] = columns
  if (!column) return `No column is called “${typed}”.`
  if (other) return `“${typed}” may be ${columns.slice(0, 3).map(columnLabel).join(' or ')}.`
  const label = columnLabel(column)
  if (value === '') return `${label} ${sign}: a value is missing.`
  const { key, type } = column
  if (type === 'text' || type === 'state' || type === 'tags') {
    if (/[<>]/.test(op)) return `${label} is a text: ask with =, != or :.`
    return [{ column: key, op: type === 'tags' && op === 'contains' ? '=' : op, value: typedWord(key, value) }]
  }
  const asked = op === 'contains' ? '=' : op
  if (type === 'time') {
    if (asked === '!=') return `${label} is a time: ask with =, < or >.`
    const time = typedTime(value, now)
    return time
      ? atTime(key, asked, time)
      : `${label} ${sign} ${value}: a date is written 2026-11-28, or 7d for seven days ago.`
  }
  const number = typedNumber(type, value)
  return number === null
    ? `${label} ${sign} ${value}: that is no ${nouns[type]}.`
    : [{ column: key, op: asked, value: number }]
}

const nouns: Readonly<Record<Exclude<Column['type'], 'text' | 'state' | 'tags' | 'time'>, string>> = {
  number: 'number',
  fraction: 'fraction (0.3 or 30%)',
  bytes: 'size (4GB)',
  seconds: 'time (90s, 10min, 2h)',
}

/** A day is all of it: after a day is after its end. */
function atTime(
  column: string,
  op: Exclude<Op, 'contains' | '!='>,
  { from, to }: { from: number; to: number },
): Condition[] {
  switch (op) {
    case '=':
      return [
        { column, op: '>=', value: from },
        { column, op: '<=', value: to },
      ]
    case '<':
    case '>=':
      return [{ column, op, value: from }]
    case '>':
    case '<=':
      return [{ column, op, value: to }]
  }
}
