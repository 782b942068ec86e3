import { z } from 'zod'
import { FieldError, type Task, checkRow, labelOf, shown, unlabelled } from './task.ts'

const fields = 'question, passage and answer or label'

/** A passage that starts with a title of its article. */
const titled = /^[^\n]{1,200}? -- /

/** Files of fewer rows are excerpts, or questions of one's own: nobody lays their figures beside published ones. */
const publishedRows = 1000

const schema = z.object({
  question: z.string(),
  passage: z.string(),
  title: z.string().nullish(),
  answer: z.unknown().optional(),
  label: z.unknown().optional(),
})

/**
 * BoolQ from Google's files (`answer`), SuperGLUE's (`label`) and both on Hugging Face. SuperGLUE's passages, which the
 * harness scores, start with the article's title; Google's hold it in a field of its own.
 */
export const boolq: Task = {
  fields,
  labelsBeside: false,
  testSplit: false,
  numbered: true,
  parse(row) {
    const { question, passage, title, answer, label } = checkRow(schema, row, fields)
    const text = title ? `${title} -- ${passage}` : passage
    const context = `${text}\nQuestion: ${question}?\nAnswer:`
    return { contexts: [context, context], choices: ['no', 'yes'], gold: goldOf(answer, label) }
  },
  doubt(rows) {
    if (rows.length < publishedRows) return undefined
    const untitled = rows.filter(({ contexts }) => !titled.test(contexts[0]!)).length
    // Some passages have such dashes and no title, so that the majority decides.
    if (untitled <= rows.length / 2) return undefined
    return (
      `${untitled} of ${rows.length} passages of BoolQ do not start with the title of their article, as those of ` +
      'SuperGLUE do, by which published figures are made; scores differ a little: give the file of SuperGLUE, or that ' +
      'of Google with its field "title"'
    )
  },
}

function goldOf(answer: unknown, label: unknown): number {
  const [field, value] = label === undefined ? ['answer', answer] : ['label', label]
  if (typeof value === 'boolean') return Number(value)
  if (field === 'label') return labelOf(value, field, 2)
  if (value === undefined || value === null) throw unlabelled(field)
  throw new FieldError(field, `must be true or false, not ${shown(value)}`)
}
