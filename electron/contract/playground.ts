import { z } from 'zod'
import {
  ranSchema,
  runnerSettings,
  writingSettingsSchema,
  writtenPieceSchema,
  writtenSchema,
} from '../../engine/contract/index.ts'
import { byId, done, id, type MethodTable, name, nothing, problemSchema, time } from './common.ts'

/** Checkpoints that answer side by side at most. */
export const mostColumns = 4
/** Questions that the history keeps, and prompts that can be saved. */
export const mostKept = { questions: 200, prompts: 200 }

const text = z.string().max(200_000)
/** A text that is continued, or a chat by the checkpoint's own template. */
export const questionMode = z.enum(['prompt', 'chat'])

const asked = {
  mode: questionMode,
  /** What a chat begins with; empty for nothing. */
  system: text.default(''),
  settings: writingSettingsSchema,
}
/** What runs a checkpoint, and in which type. */
export const runnerChoiceSchema = z.strictObject(runnerSettings)
export type RunnerChoice = z.infer<typeof runnerChoiceSchema>

export const askSchema = z
  .strictObject({
    ...asked,
    /** The prompt, or what is said next in the chat. */
    text,
    checkpoints: z.array(id).min(1).max(mostColumns),
    /** What runs each of them; of one that is not named whatever runs it best. */
    runners: z.array(runnerChoiceSchema).max(mostColumns).default([]),
    /** The chat that goes on, of the same checkpoints. */
    follows: id.optional(),
  })
  .refine(
    ({ checkpoints, runners }) =>
      new Set(checkpoints.map((each, at) => columnOf(each, runners[at]))).size === checkpoints.length,
    {
      path: ['checkpoints'],
      message: 'names a checkpoint twice to be run in the same way',
    },
  )
const columnOf = (checkpoint: number, { runner, type }: RunnerChoice = { runner: 'auto' }): string =>
  JSON.stringify([checkpoint, runner, type])
export type Ask = z.input<typeof askSchema>

/** waiting -> loading -> writing -> done | cancelled | failed. One checkpoint answers after the other. */
export const answerState = z.enum(['waiting', 'loading', 'writing', 'done', 'cancelled', 'failed'])
export const answerSchema = z.object({
  checkpointId: id,
  checkpointName: z.string(),
  /** What was to run it. */
  runner: runnerChoiceSchema.prefault({}),
  state: answerState,
  /** What it wrote, turn by turn; the last is the answer that is being written. */
  texts: z.array(z.string()).min(1),
  /** Fraction of the weights that is read, while it is loaded. */
  loaded: z.number().nullable(),
  problem: problemSchema.nullable(),
  /** Of the last answer. */
  facts: writtenSchema
    .extend({
      /** What ran it; left out in questions of versions that had Secateur alone. */
      ran: ranSchema.optional(),
      /** Until the first piece came, of a model that was loaded. */
      firstSeconds: z.number(),
      /** 0 where it was loaded already. */
      loadSeconds: z.number(),
    })
    .nullable(),
})
export type PlaygroundAnswer = z.infer<typeof answerSchema>

export const questionSchema = z.object({
  id,
  asked: time,
  ...asked,
  /** The prompt alone, or what the user said turn by turn. */
  said: z.array(z.string()).min(1),
  answers: z.array(answerSchema),
})
export type Question = z.infer<typeof questionSchema>

/** A question as the history lists it. */
export const questionLineSchema = questionSchema
  .pick({ id: true, asked: true, mode: true })
  .extend({ text: z.string(), checkpoints: z.array(z.string()) })
export type QuestionLine = z.infer<typeof questionLineSchema>

export const playgroundStateSchema = z.object({
  /** Models that are loaded. */
  models: z.array(z.object({ checkpointId: id, name: z.string(), weightBytes: z.number(), ran: ranSchema })),
  /** Of the processes that hold them; null while there is none. */
  memoryBytes: z.number().nullable(),
  /** When they are released, unless something is asked before. */
  releaseAt: time.nullable(),
  /** Questions that wait for a device, and the run that has it; null where another question has it. */
  waiting: z.array(z.object({ question: id, run: z.object({ id, name: z.string() }).nullable() })),
})
export type PlaygroundState = z.infer<typeof playgroundStateSchema>

export const savedPromptSchema = z.object({ id, name: z.string(), mode: questionMode, system: z.string(), text })
export type SavedPrompt = z.infer<typeof savedPromptSchema>

/** What the main side tells while questions are answered. */
export const playgroundEvents = {
  playground: playgroundStateSchema,
  /** How one of the answers to a question stands. */
  answer: z.object({ question: id, column: z.int(), answer: answerSchema }),
  /** What comes next of an answer that is being written. */
  answerText: z.object({ question: id, column: z.int(), pieces: z.array(writtenPieceSchema) }),
} as const

/** Requests of the playground. */
export const playgroundMethods = {
  'playground.state': [nothing, playgroundStateSchema],
  /** Queues a question; its answers come as events. */
  'playground.ask': [askSchema, questionSchema],
  'playground.get': [byId, questionSchema],
  'playground.cancel': [byId, done],
  /** Answers a question that waits for a run beside that run. */
  'playground.now': [byId, done],
  /** Ends the process that holds the models. */
  'playground.release': [nothing, done],
  /** What is laid side by side of a checkpoint or a run's: the dense checkpoint, and what was made of it. */
  'playground.beside': [
    z.union([z.strictObject({ checkpoint: id }), z.strictObject({ run: id })]),
    z.array(id).max(mostColumns),
  ],
  /** Newest first. */
  'playground.history': [nothing, z.array(questionLineSchema)],
  /** Takes questions out of the history; all where none are named. */
  'playground.forget': [z.strictObject({ ids: z.array(id).min(1).max(mostKept.questions).optional() }), done],
  'playground.prompts': [nothing, z.array(savedPromptSchema)],
  /** Keeps a prompt under a name, in place of one that has it. */
  'playground.savePrompt': [savedPromptSchema.omit({ id: true }).extend({ name }).strict(), savedPromptSchema],
  'playground.removePrompt': [byId, done],
} as const satisfies MethodTable
