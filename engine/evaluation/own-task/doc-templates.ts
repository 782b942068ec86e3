import type { Row } from '../../data/rows.ts'
import { badFile } from '../../shared/errors.ts'
import { PythonTemplate } from '../../tokenizer/jinja/template.ts'
import { FieldError, shown, type TaskRow } from '../tasks/task.ts'
import { parseTexts } from './python-literal.ts'
import type { TaskFile } from './task-file.ts'

/** Of one row: what a template may compute and write, and how many choices there may be. */
const limits = { steps: 100_000, characters: 2 ** 20, choices: 256 }

type Part = 'description' | 'doc_to_text' | 'doc_to_choice' | 'doc_to_target'

/** What a field of the task file says of a row: the value of a field of the row, or what a template comes to. */
type Read = (row: Row) => unknown

/** How the rows of a task of the user's own are read. */
export interface DocReader {
  /** @throws FieldError that names the field of the task file */
  rowOf(row: Row): TaskRow
  descriptionOf(row: Row): string
}

/**
 * Reads rows by the templates of a task file, as lm-evaluation-harness does: a field of the rows by its name alone, or a
 * Jinja template over all of them. Templates are parsed here, and reach nothing but the row.
 *
 * @param first row, whose fields are those of all
 * @throws SecateurError that names the task file and its field
 */
export function docReader(file: string, task: TaskFile, first: Row): DocReader {
  const read = (part: Part, source: string, isPlainText = false) => readerOf(file, part, source, first, isPlainText)
  const description = task.description ? read('description', task.description, true) : () => ''
  const text = read('doc_to_text', task.doc_to_text)
  const { doc_to_choice: choice, doc_to_target: target } = task
  const choices = typeof choice === 'string' ? read('doc_to_choice', choice, true) : () => choice
  const gold = typeof target === 'string' ? read('doc_to_target', target) : () => target
  return {
    rowOf(row) {
      const texts = choicesOf(choices(row))
      const context = contextOf(text(row))
      const answer = gold(row)
      return {
        contexts: texts.map(() => context),
        choices: texts,
        gold: goldOf(answer, texts),
        doc: row,
        target: typeof answer === 'boolean' ? (answer ? 'True' : 'False') : String(answer),
      }
    },
    descriptionOf: (row) => String(description(row)),
  }
}

function readerOf(file: string, part: Part, source: string, first: Row, isPlainText: boolean): Read {
  if (Object.hasOwn(first, source)) {
    return (row) => {
      if (row[source] !== undefined && row[source] !== null) return row[source]
      throw new FieldError(source, `is missing, and ${part} is read from it`)
    }
  }
  if (!isPlainText && !/{[{%]/.test(source)) {
    const fields = Object.keys(first).slice(0, 20).join(', ')
    throw badFile(file, part, `is ${shown(source)}, which is neither a field of the rows (${fields}) nor a template`)
  }
  const template = parsed(file, part, source)
  return (row) => {
    let written: string
    try {
      written = template.render(row)
    } catch (error) {
      throw new FieldError(part, `cannot be rendered: ${error instanceof Error ? error.message : String(error)}`)
    }
    if (written.length <= limits.characters) return new Rendered(written)
    throw new FieldError(part, `comes to more than ${limits.characters} characters`)
  }
}

/** What a template came to, which the harness reads otherwise than the value of a field. */
class Rendered {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
  toString(): string {
    return this.text
  }
}

function parsed(file: string, part: Part, source: string): PythonTemplate {
  try {
    return new PythonTemplate(source, { trims: false, strict: true, mostSteps: limits.steps })
  } catch (error) {
    throw badFile(file, part, `is no template: ${error instanceof Error ? error.message : String(error)}`, error)
  }
}

function contextOf(value: unknown): string {
  if (value instanceof Rendered) {
    if (!/^\d+$/.test(value.text)) return value.text
    throw new FieldError(
      'doc_to_text',
      `comes to ${value.text}: a number would choose one of several contexts, and such tasks are not read`,
    )
  }
  if (typeof value === 'string') return value
  throw new FieldError('doc_to_text', `must be text, not ${shown(value)}`)
}

function choicesOf(value: unknown): string[] {
  const texts: unknown = value instanceof Rendered ? literalOf(value.text) : value
  if (!Array.isArray(texts) || !texts.every((each) => typeof each === 'string'))
    throw new FieldError('doc_to_choice', `must be a list of texts, not ${shown(value)}`)
  if (texts.length < 2 || texts.length > limits.choices)
    throw new FieldError('doc_to_choice', `has ${texts.length} choices; a row has 2 to ${limits.choices}`)
  const empty = texts.indexOf('')
  if (empty >= 0) throw new FieldError('doc_to_choice', `choice ${empty + 1} is empty`)
  return texts
}

function literalOf(text: string): string[] {
  try {
    return parseTexts(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new FieldError('doc_to_choice', error.message)
  }
}

/** A number counts from 0; a text is the choice itself. */
function goldOf(value: unknown, choices: readonly string[]): number {
  const written = value instanceof Rendered ? value.text : value
  const isNumber = value instanceof Rendered ? /^\d+$/.test(value.text) : typeof written !== 'string'
  if (isNumber) {
    const index = Number(written)
    if (Number.isInteger(index) && index >= 0 && index < choices.length && !Array.isArray(written)) return index
    throw new FieldError('doc_to_target', `is ${shown(written)}; it must be 0 to ${choices.length - 1}, or a choice`)
  }
  const index = choices.indexOf(written as string)
  if (index >= 0) return index
  throw new FieldError('doc_to_target', `is ${shown(written)}, which is none of the ${choices.length} choices`)
}
