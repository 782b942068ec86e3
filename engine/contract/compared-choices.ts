import { z } from 'zod'
import { pairedSchema } from './evaluation.ts'
import { answerOutcome } from './predictions.ts'
import { taskKey } from './tasks.ts'

/** In which order rows come: that of the file, the least certain first, or those whose margin fell most first. */
export const choiceOrder = z.enum(['file', 'margin', 'change'])
export type ChoiceOrder = z.infer<typeof choiceOrder>

/** Which rows of a task are wanted. */
export const choiceFilter = {
  task: taskKey,
  outcome: answerOutcome.default('changed'),
  /** By which a row is right: the likeliest choice, or the likeliest for its length. */
  metric: z.enum(['acc', 'accNorm']).default('acc'),
  /** Text of the question or of a choice, in any case; `#12` is the row of that number. */
  search: z.string().max(200).default(''),
  /** Nats: rows alone whose margin, of the second checkpoint, is at most so far from 0. */
  within: z.number().positive().optional(),
  order: choiceOrder.default('file'),
  offset: z.int().min(0).default(0),
}

const answer = z.object({
  /** From 0; of a last word 1 where another is likelier. */
  predicted: z.int(),
  right: z.boolean(),
  /** Of each choice the natural logarithm of its probability. */
  logLikelihoods: z.array(z.number()),
  /** Nats from the likeliest wrong choice to the right one; null of a last word, which has no other choice. */
  margin: z.number().nullable(),
})

/** Rows of a task that two checkpoints answered, or one of them alone. */
export const comparedChoicesSchema = z.object({
  /** Rows that both answered, and those that only one of them did. */
  n: z.int(),
  unmatched: z.object({ before: z.int(), after: z.int() }),
  /** Null where there is one checkpoint alone. */
  paired: pairedSchema.nullable(),
  /** Whether the task reports acc_norm. */
  normalised: z.boolean(),
  /** Whether a row asks for the last word of a text: its only choice. */
  word: z.boolean(),
  /** Why questions are not shown: the task file is gone or was changed. Null where they are. */
  textProblem: z.string().nullable(),
  /** Rows that the filter lets through, and a page of them. */
  total: z.int(),
  rows: z.array(
    z.object({
      /** In the task file, from 0. */
      row: z.int(),
      /** What stands before all choices, and the choices; null where the task file cannot tell. */
      question: z.string().nullable(),
      choices: z.array(z.string()).nullable(),
      gold: z.int(),
      before: answer.nullable(),
      after: answer,
    }),
  ),
})
export type ComparedChoices = z.infer<typeof comparedChoicesSchema>
