import { z } from 'zod'
import { strip } from '../python-text.ts'
import { FieldError, type Task, checkRow, labelOf } from './task.ts'

const fields = 'sentence, option1, option2 and answer'

const schema = z.object({
  sentence: z.string(),
  option1: z.string(),
  option2: z.string(),
  answer: z.unknown().optional(),
})

/**
 * WinoGrande by partial evaluation: the options stand in the context, and what follows the blank is scored after each of
 * them.
 */
export const winogrande: Task = {
  fields,
  labelsBeside: false,
  testSplit: false,
  numbered: false,
  parse(row) {
    const { sentence, option1, option2, answer } = checkRow(schema, row, fields)
    const blank = sentence.indexOf('_')
    if (blank < 0) throw new FieldError('sentence', 'has no blank: an underscore must stand where the option goes')
    const before = sentence.slice(0, blank)
    const after = strip(sentence.slice(blank + 1))
    return {
      contexts: [before + option1, before + option2],
      choices: [after, after],
      gold: labelOf(answer, 'answer', 2, 1),
    }
  },
}
