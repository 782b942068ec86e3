import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

/** ARC's own format: https://allenai.org/data/arc. */
const questionSchema = z.object({
  question: z.object({ stem: z.string(), choices: z.array(z.object({ text: z.string() })) }),
  answerKey: z.string(),
})

/** Subjects of MMLU whose names stand in the questions' descriptions, and the parts of ARC that are asked under them. */
const parts = { astronomy: 'ARC-Challenge', anatomy: 'ARC-Easy' } as const
const examples = 5

/**
 * Questions of ARC in the folder layout of MMLU, so many of each of two subjects with five solved examples.
 *
 * @returns how many there are, where the files have as many
 */
export function writeArcAsMmlu(arc: string, rows: number, folder: string): number {
  let written = 0
  for (const [subject, part] of Object.entries(parts))
    for (const [split, name, count] of [
      ['dev', 'Dev', examples],
      ['test', 'Test', rows],
    ] as const) {
      mkdirSync(join(folder, 'data', split), { recursive: true })
      const lines = linesOf(join(arc, `${part}-${name}.jsonl`)).slice(0, count)
      writeFileSync(join(folder, 'data', split, `${subject}_${split}.csv`), lines.join(''))
      if (split === 'test') written += lines.length
    }
  return written
}

/** Lines of CSV, of the questions that have four choices called A to D. */
function linesOf(file: string): string[] {
  const questions = readFileSync(file, 'utf8').trim().split('\n')
  return questions
    .map((line) => questionSchema.parse(JSON.parse(line)))
    .filter(({ question, answerKey }) => question.choices.length === 4 && 'ABCD'.includes(answerKey))
    .map(({ question, answerKey }) => {
      const cells = [question.stem, ...question.choices.map(({ text }) => text), answerKey]
      return `${cells.map((cell) => `"${cell.replaceAll('"', '""')}"`).join(',')}\n`
    })
}
