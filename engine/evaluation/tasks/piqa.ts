import { z } from 'zod'
import { FieldError, type Task, checkRow, labelOf } from './task.ts'

const fields = 'goal, sol1, sol2 and label (or a file of labels beside)'

const schema = z.object({ goal: z.string(), sol1: z.string(), sol2: z.string(), label: z.unknown().optional() })

/** PIQA from the original files, whose answers stand in a file of their own, and from Hugging Face. */
export const piqa: Task = {
  fields,
  labelsBeside: true,
  testSplit: false,
  numbered: false,
  parse(row) {
    const { goal, sol1, sol2, label } = checkRow(schema, row, fields)
    if (label === undefined) {
      throw new FieldError(
        'label',
        'is missing, and no file of labels (as valid-labels.lst for valid.jsonl) lies beside; a test split without ' +
          'answers cannot be scored',
      )
    }
    const context = `Question: ${goal}\nAnswer:`
    return { contexts: [context, context], choices: [sol1, sol2], gold: labelOf(label, 'label', 2) }
  },
}
