import { z } from 'zod'
import { capitalize, strip } from '../python-text.ts'
import { type Task, checkRow, labelOf } from './task.ts'

const fields = 'activity_label, ctx_a, ctx_b, endings and label'

const schema = z.object({
  activity_label: z.string(),
  ctx_a: z.string(),
  ctx_b: z.string(),
  endings: z.array(z.string()).min(2),
  label: z.unknown().optional(),
})

/** HellaSwag from the original files (label a number) and from Hugging Face (label a text). */
export const hellaswag: Task = {
  fields,
  labelsBeside: false,
  testSplit: false,
  numbered: true,
  parse(row) {
    const { activity_label, ctx_a, ctx_b, endings, label } = checkRow(schema, row, fields)
    const context = clean(`${activity_label}: ${ctx_a} ${capitalize(ctx_b)}`)
    return {
      contexts: endings.map(() => context),
      choices: endings.map(clean),
      gold: labelOf(label, 'label', endings.length),
    }
  },
}

/**
 * Removes the marks of WikiHow. Not stripped again at the end: what follows a bracket at the start keeps its space, and
 * the harness scores and counts that space.
 */
function clean(text: string): string {
  return strip(text)
    .replaceAll(' [title]', '. ')
    .replaceAll(/\[[^\n]*?\]/g, '')
    .replaceAll('  ', ' ')
}
