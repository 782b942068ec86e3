import { z } from 'zod'
import { path, readPath } from './names.ts'
import { ranSchema, runnerSettings } from './runner.ts'
import { machineSettings, most } from './settings.ts'

// What the playground asks of a process in which models stay loaded: contract B's half of it.

/** How tokens are drawn, wherever text is written for somebody to read. */
export const samplingSettings = {
  topP: z.number().gt(0).max(1).default(0.95).describe('draw from the likeliest tokens that reach this probability'),
  topK: z
    .int()
    .min(0)
    .max(most.tokens)
    .default(0)
    .describe('draw from so many of the likeliest tokens at most; 0: from all'),
  seed: z.int().min(0).default(0).describe('seed of the draws'),
}

/** Other tokens of a place that are told at most. */
export const mostAlternatives = 10

export const writingSettingsSchema = z.strictObject({
  /** New tokens at most. */
  maxNewTokens: z.int().min(1).max(most.tokens).default(200),
  /** 0 takes the likeliest token always. */
  temperature: z.number().min(0).max(most.factor).default(0.8),
  ...samplingSettings,
  /** Texts before which an answer ends. */
  stop: z.array(z.string().min(1).max(200)).max(16).default([]),
  /** Log-probabilities of tokens, each with so many of the likeliest tokens of its place; left out: none. */
  alternatives: z.int().min(0).max(mostAlternatives).optional(),
})
export type WritingSettings = z.infer<typeof writingSettingsSchema>

const text = z.string().max(1_000_000)
/** A text to be continued, or a chat by the checkpoint's own template, whose last message is the user's. */
export const writingInputSchema = z.union([
  z.strictObject({ prompt: text }),
  z.strictObject({
    messages: z
      .array(z.strictObject({ role: z.enum(['system', 'user', 'assistant']), content: text }))
      .min(1)
      .max(1000),
  }),
])
export type WritingInput = z.infer<typeof writingInputSchema>

/** Which model writes: a checkpoint, or an adapter on one, and what runs it. */
const modelSchema = z.strictObject({ checkpoint: readPath, adapter: readPath.optional(), ...runnerSettings })
export type WritingModel = z.infer<typeof modelSchema>

export const loadedModelSchema = z.object({
  ran: ranSchema,
  /** Of the weights as they are held. */
  weightBytes: z.number(),
  /** Whether its tokenizer has a chat template. */
  chatTemplate: z.boolean(),
  maxPositions: z.int(),
})
export type LoadedModel = z.infer<typeof loadedModelSchema>

/** Natural logarithm of a token's probability by the model's own logits: temperature, top-p and top-k do not enter it. */
const logProbability = z.number()
/** A piece of an answer: the text that one token adds. */
export const writtenPieceSchema = z.object({
  text: z.string(),
  logProbability: logProbability.optional(),
  /** The likeliest tokens of this place, the likeliest first; the token itself may be one of them. */
  alternatives: z.array(z.object({ text: z.string(), logProbability })).optional(),
})
export type WrittenPiece = z.infer<typeof writtenPieceSchema>

export const writtenSchema = z.object({
  promptTokens: z.int(),
  /** Of the answer, without the token that ended it. */
  tokens: z.int(),
  promptSeconds: z.number(),
  generationSeconds: z.number(),
  /** Of llama.cpp, which takes as many as are free when a text begins. */
  threads: z.int().optional(),
  /** What ended it: a token of the model, a text of the settings, the limit, or the model's positions. */
  ended: z.enum(['token', 'text', 'limit', 'positions']),
})
export type Written = z.infer<typeof writtenSchema>

const heldSchema = z.object({
  /** Models that are loaded. */
  models: z.array(modelSchema.extend({ weightBytes: z.number(), ran: ranSchema })),
  /** Of the process that holds them, and of those that run them for it. */
  memoryBytes: z.number(),
})
export type HeldModels = z.infer<typeof heldSchema>

/** Methods of the service process; the main side asks a process of their own for them. */
export const playgroundMethods = {
  /**
   * Loads a model, and keeps it until it is released. One that is loaded already is answered at once. Those that are not in
   * `keep` are released where it does not fit beside them. Progress in bytes.
   */
  loadModel: {
    params: z.strictObject({ model: modelSchema, keep: z.array(modelSchema).max(8).default([]), ...machineSettings }),
    result: loadedModelSchema,
  },
  /** Lets a model that is loaded write; the parts are pieces of its answer. */
  writeText: {
    params: z.strictObject({ model: modelSchema, input: writingInputSchema, settings: writingSettingsSchema }),
    part: writtenPieceSchema,
    result: writtenSchema,
  },
  /** Releases the models of these checkpoints and adapters, and tells what is held then. */
  releaseModels: { params: z.strictObject({ paths: z.array(path).max(100) }), result: heldSchema },
}
