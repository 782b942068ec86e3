import { z } from 'zod'
import { strip } from '../python-text.ts'
import { FieldError, type Task, checkRow, labelOf, shown } from './task.ts'
import { mmluCategory } from './mmlu-subjects.ts'

const fields = 'question, subject, choices and answer'

const letters = ['A', 'B', 'C', 'D']

const schema = z.object({
  question: z.string(),
  subject: z.string(),
  choices: z.array(z.string()).length(letters.length, 'must hold four texts'),
  answer: z.unknown().optional(),
})

/** MMLU from Hugging Face (`answer` a number) and, by read-mmlu.ts, from the original files (a letter). */
export const mmlu: Task = {
  fields,
  labelsBeside: false,
  testSplit: true,
  numbered: true,
  parse(row) {
    const { question, subject, choices, answer } = checkRow(schema, row, fields)
    if (mmluCategory(subject) === undefined) {
      throw new FieldError('subject', `is ${shown(subject)}, which is none of MMLU's 57 subjects`)
    }
    const lines = [strip(question), ...choices.map((choice, at) => `${letters[at]}. ${choice}`), 'Answer:']
    const context = lines.join('\n')
    const letter = typeof answer === 'string' ? letters.indexOf(answer) : -1
    const gold = letter >= 0 ? letter : labelOf(answer, 'answer', letters.length)
    return { contexts: letters.map(() => context), choices: letters, gold, part: subject }
  },
}
