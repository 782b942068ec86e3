import { z } from 'zod'
import { strip } from '../python-text.ts'
import { type Task, checkRow, choiceLists, choiceObjects, keyIndex } from './task.ts'

const fields = 'question_stem (or question.stem), choices and answerKey'

const original = z.object({
  question: z.object({ stem: z.string(), choices: choiceObjects }),
  answerKey: z.unknown().optional(),
})
const huggingFace = z.object({ question_stem: z.string(), choices: choiceLists, answerKey: z.unknown().optional() })

/** OpenBookQA, without the fact that its `additional` files hold. The stem alone is the context. */
export const openbookqa: Task = {
  fields,
  labelsBeside: false,
  testSplit: true,
  numbered: true,
  parse(row) {
    const { stem, texts, labels, answerKey } = read(row)
    const key = typeof answerKey === 'string' ? strip(answerKey) : answerKey
    return { contexts: texts.map(() => stem), choices: texts, gold: keyIndex(key, labels, texts) }
  },
}

function read(row: Record<string, unknown>) {
  if ('question' in row) {
    const { question, answerKey } = checkRow(original, row, fields)
    const texts = question.choices.map(({ text }) => text)
    return { stem: question.stem, texts, labels: question.choices.map(({ label }) => label), answerKey }
  }
  const { question_stem, choices, answerKey } = checkRow(huggingFace, row, fields)
  return { stem: question_stem, texts: choices.text, labels: choices.label, answerKey }
}
