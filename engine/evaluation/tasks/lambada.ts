import { z } from 'zod'
import { FieldError, type Task, checkRow } from './task.ts'

const fields = 'text'

const schema = z.object({ text: z.string() })

/**
 * LAMBADA: the last word of a passage, from its last space on. The variants differ in their files alone: OpenAI's keeps
 * the passages as they were printed, the standard one has them in lower case and in tokens.
 */
export const lambada: Task = {
  fields,
  labelsBeside: false,
  testSplit: true,
  numbered: true,
  named: /lambada/i,
  parse(row) {
    const { text } = checkRow(schema, row, fields)
    const space = text.lastIndexOf(' ')
    const word = text.slice(space + 1)
    if (word === '') {
      throw new FieldError('text', text === '' ? 'is empty' : 'ends in a space, so that no word is left to predict')
    }
    return { contexts: [text.slice(0, Math.max(0, space))], choices: [word], gold: 0 }
  },
}
