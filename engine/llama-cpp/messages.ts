import { z } from 'zod'

// What the engine and the process of a model on llama.cpp say to each other. Both sides parse what arrives.

const id = z.int().min(0)
const ids = z.array(id).min(1)
const common = { request: id }
const threads = z.int().min(1)

const likelyToken = z.object({ id, logProbability: z.number() })
/** A token with its log-probability (natural logarithm). */
export type LikelyToken = z.infer<typeof likelyToken>

export const requestSchema = z.discriminatedUnion('do', [
  /** Loads llama.cpp itself, which finds what it computes on. */
  z.object({ do: z.literal('start'), ...common, addon: z.string() }),
  z.object({ do: z.literal('load'), ...common, file: z.string() }),
  z.object({
    do: z.literal('write'),
    ...common,
    prompt: ids,
    /** New tokens at most. */
    tokens: z.int().min(1),
    threads,
    temperature: z.number().min(0),
    topP: z.number(),
    topK: z.int().min(0),
    seed: z.int().min(0),
    stop: z.array(id),
    /** Log-probabilities of tokens are told, and so many of the likeliest of each place. */
    alternatives: z.int().min(0).optional(),
    /** Tokens are not told: how long they take is all that counts. */
    quiet: z.boolean().default(false),
  }),
  /** Log-probabilities of every token of a text but the first. */
  z.object({ do: z.literal('score'), ...common, text: ids, threads }),
  z.object({ do: z.literal('cancel'), ...common }),
])
export type Request = z.infer<typeof requestSchema>
export type WriteRequest = Extract<Request, { do: 'write' }>
/** The same as it is asked for. */
export type RequestInput = z.input<typeof requestSchema>

/** A token as it is told, with its log-probability and those of the likeliest where they were asked for. */
export const tokenSchema = likelyToken.extend({
  logProbability: z.number().optional(),
  likeliest: z.array(likelyToken).optional(),
})
export type ToldToken = z.infer<typeof tokenSchema>

/** What llama.cpp computes on. */
export const startedSchema = z.object({
  /** Names of graphics cards; none where the processor computes. */
  cards: z.array(z.string()),
  /** Of the cards together. */
  freeBytes: z.number(),
  /** Whether the cards have no memory of their own, but the computer's. */
  unified: z.boolean(),
})
export type StartedOn = z.infer<typeof startedSchema>

export const loadedSchema = z.object({
  /** Of the weights. */
  bytes: z.number(),
})
export const wroteSchema = z.object({
  /** New tokens, without the one that ended the text. */
  tokens: z.int(),
  promptSeconds: z.number(),
  generationSeconds: z.number(),
  /** The most that the process has held, and what it holds now: with the pages of the file that it has read. */
  peakBytes: z.number(),
  heldBytes: z.number(),
})
export type Wrote = z.infer<typeof wroteSchema>

export const responseSchema = z.union([
  /** Those that were written since the last message, in their order. */
  z.object({ request: id, tokens: z.array(tokenSchema) }),
  /** Part of the weights that is loaded. */
  z.object({ request: id, share: z.number() }),
  z.object({ request: id, result: z.unknown() }),
  z.object({ request: id, error: z.string() }),
])
export type Response = z.infer<typeof responseSchema>

/** Settings of a request with which the likeliest token is taken each time. */
export const greedily = { temperature: 0, topP: 1, topK: 0, seed: 0 } as const
