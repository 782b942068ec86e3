import { z } from 'zod'
import { type Task, checkRow, choiceLists, choiceObjects, keyIndex } from './task.ts'

const fields = 'question, choices and answerKey'

const original = z.object({
  question: z.object({ stem: z.string(), choices: choiceObjects }),
  answerKey: z.unknown().optional(),
})
const huggingFace = z.object({ question: z.string(), choices: choiceLists, answerKey: z.unknown().optional() })

/** ARC from the original files (choices within the question, a list of objects) and from Hugging Face (two lists). */
export const arc: Task = {
  fields,
  labelsBeside: false,
  testSplit: true,
  numbered: true,
  parse(row) {
    const { stem, texts, labels, answerKey } = read(row)
    const context = `Question: ${stem}\nAnswer:`
    // By the row's own labels: some rows count 1 to 4 instead of A to D.
    return { contexts: texts.map(() => context), choices: texts, gold: keyIndex(answerKey, labels, texts) }
  },
}

function read(row: Record<string, unknown>) {
  if (typeof row['question'] === 'object') {
    const { question, answerKey } = checkRow(original, row, fields)
    const texts = question.choices.map(({ text }) => text)
    return { stem: question.stem, texts, labels: question.choices.map(({ label }) => label), answerKey }
  }
  const { question, choices, answerKey } = checkRow(huggingFace, row, fields)
  return { stem: question, texts: choices.text, labels: choices.label, answerKey }
}
