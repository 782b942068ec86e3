import { Random } from '../../../engine/shared/random.ts'
import type { World } from '../world/world.ts'
import { askArcChallenge, askArcEasy } from './arc.ts'
import { askBoolQ, boolqSeries } from './boolq.ts'
import { askHellaSwag } from './hellaswag.ts'
import { askOpenBookQa } from './openbookqa.ts'
import { askPiqa } from './piqa.ts'
import { type Ask, drawUntil, type Question } from './question.ts'
import { askWinoGrande } from './winogrande.ts'

export interface Task {
  readonly name: string
  readonly ask: Ask
  readonly choices: number
  /** How often training text asks it, beside the others: rarer where it is learnt soon or takes many words. */
  readonly share: number
  /** A training text of its own kind that half of its training documents are. */
  readonly series?: (world: World, random: Random) => string
  /** Where the official distribution has it. */
  readonly file: string
  readonly labelFile?: string
}

export const tasks: readonly Task[] = [
  { name: 'boolq', ask: askBoolQ, choices: 2, share: 8, series: boolqSeries, file: 'boolq/dev.jsonl' },
  { name: 'piqa', ask: askPiqa, choices: 2, share: 2, file: 'piqa/valid.jsonl', labelFile: 'piqa/valid-labels.lst' },
  { name: 'hellaswag', ask: askHellaSwag, choices: 4, share: 1, file: 'hellaswag/hellaswag_val.jsonl' },
  { name: 'winogrande', ask: askWinoGrande, choices: 2, share: 8, file: 'winogrande/dev.jsonl' },
  { name: 'arc_easy', ask: askArcEasy, choices: 4, share: 6, file: 'arc/ARC-Easy-Test.jsonl' },
  { name: 'arc_challenge', ask: askArcChallenge, choices: 4, share: 6, file: 'arc/ARC-Challenge-Test.jsonl' },
  { name: 'openbookqa', ask: askOpenBookQa, choices: 4, share: 2, file: 'openbookqa/test.jsonl' },
]

/** Different held-out questions of a task; each place of the right answer comes up equally often. */
export function heldOutQuestions(world: World, task: Task, count: number): Question[] {
  const random = new Random(world.seed).fork(`questions ${task.name}`)
  const places = random.permutation(count)
  const asked = new Set<string>()
  return Array.from(places, (place) => {
    const question = drawUntil(
      () => task.ask(world, random, { heldOut: true, gold: place % task.choices }),
      ({ text }) => !asked.has(text),
    )
    asked.add(question.text)
    return question
  })
}

/** A question with its right answer, for training. */
export function trainingQuestion(world: World, random: Random, task: Task): string {
  return task.ask(world, random, { heldOut: false, gold: random.integer(task.choices) }).text
}
