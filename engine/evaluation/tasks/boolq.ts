import { z } from 'zod'
import { FieldError, type Task, checkRow, labelOf, shown, unlabelled } from './task.ts'

const fields = 'question, passage and answer or label'

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
  parse(row) {
    const { question, passage, title, answer, label } = checkRow(schema, row, fields)
    const text = title ? `${title} -- ${passage}` : passage
    const context = `${text}\nQuestion: ${question}?\nAnswer:`
    return { contexts: [context, context], choices: ['no', 'yes'], gold: goldOf(answer, label) }
  },
}

function goldOf(answer: unknown, label: unknown): number {
  const [field, value] = label === undefined ? ['answer', answer] : ['label', label]
  if (typeof value === 'boolean') return Number(value)
  if (field === 'label') return labelOf(value, field, 2)
  if (value === undefined || value === null) throw unlabelled(field)
  throw new FieldError(field, `must be true or false, not ${shown(value)}`)
}
