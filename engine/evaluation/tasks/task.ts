import { z } from 'zod'
import type { Row } from '../../data/rows.ts'
import { sayPlainly } from '../../shared/issue-text.ts'

/** A question in the form that is scored: choices, or one text that should follow. */
export interface TaskRow {
  /** Text before each choice, as many as choices; equal for all choices but in WinoGrande. */
  contexts: string[]
  /** Texts to score, without the one space that stands between a context and its choice. */
  choices: string[]
  /** Index of the right choice. */
  gold: number
  /** The subject of a task that has some: limits count, and examples come, by subject. */
  part?: string
  /** The row as the file has it, and its target as that is written down, of tasks of the user's own. */
  doc?: Row
  target?: string
}

/** How a task's rows are read; its title and metrics are in contract/tasks.ts. */
export interface Task {
  /** Fields of a row, for messages. */
  fields: string
  /** The answers may stand in `NAME-labels.lst` beside `NAME.jsonl`, one a line; they become the field `label`. */
  labelsBeside: boolean
  /** The harness scores a test split; otherwise the validation split. Few-shot examples are drawn by it. */
  testSplit: boolean
  /** Rows have a number of their own in the harness's data, so that two of the same text are not the same row. */
  numbered: boolean
  /** Names of files that hold it, where its rows look as others do. */
  named?: RegExp
  /** What makes the rows differ from those that published figures are made with; undefined where nothing does. */
  doubt?(rows: readonly TaskRow[]): string | undefined
  /** Reads one row in any of the layouts that the task's data comes in. Throws FieldError. */
  parse(row: Row): TaskRow
}

/** What is wrong with which field of a row; who reads the file adds its name and the line. */
export class FieldError extends Error {
  readonly field: string

  constructor(field: string, message: string) {
    super(message)
    this.field = field
  }
}

sayPlainly()

/** A row by its schema; the first wrong field throws FieldError. */
export function checkRow<T>(schema: z.ZodType<T>, row: Row, fields: string): T {
  const result = schema.safeParse(row, { reportInput: true })
  if (result.success) return result.data
  const issue = result.error.issues[0]!
  const field = issue.path.map(String).join('.')
  if (issue.input === undefined) throw new FieldError(field, `is missing; a row has the fields ${fields}`)
  throw new FieldError(field, issue.message)
}

/** Index of the right answer from a whole number or its text; what test splits without answers hold is refused. */
export function labelOf(value: unknown, field: string, classes: number, first = 0): number {
  const label = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (label === undefined || label === null || label === '' || label === -1) throw unlabelled(field)
  if (typeof label !== 'number' || !Number.isInteger(label) || label < first || label >= first + classes) {
    throw new FieldError(field, `must be a whole number from ${first} to ${first + classes - 1}, not ${shown(value)}`)
  }
  return label - first
}

/** Index of an answer key among the labels of the choices (letters or numbers). */
export function keyIndex(key: unknown, labels: readonly string[], choices: readonly string[]): number {
  if (key === undefined || key === null || key === '') throw unlabelled('answerKey')
  if (labels.length !== choices.length) {
    throw new FieldError('choices', `has ${choices.length} texts but ${labels.length} labels`)
  }
  const index = labels.indexOf(String(key))
  if (index < 0) throw new FieldError('answerKey', `is ${shown(key)}, but the choices are ${labels.join(', ')}`)
  return index
}

export const unlabelled = (field: string) =>
  new FieldError(field, 'holds no answer: a test split without answers cannot be scored; give the validation file')

export const shown = (value: unknown) => JSON.stringify(value).slice(0, 60)

/** Choices as Hugging Face stores them: a list of texts and a list of labels. */
export const choiceLists = z.object({ text: z.array(z.string()).min(2), label: z.array(z.string()) })

/** Choices as the original files store them: a list of objects. */
export const choiceObjects = z.array(z.object({ text: z.string(), label: z.string() })).min(2)
