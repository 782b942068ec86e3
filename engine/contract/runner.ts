import { z } from 'zod'
import { ggufType, proofSchema } from './export.ts'

/** What runs a finished checkpoint: llama.cpp, or Secateur's own engine. */
export const runnerName = z.enum(['llama.cpp', 'secateur'])
export type RunnerName = z.infer<typeof runnerName>

/** Types of weights that llama.cpp is offered a checkpoint in. */
export const runnerType = ggufType.extract(['f16', 'q8_0', 'q4_k_m'])
export type RunnerType = z.infer<typeof runnerType>

export const runnerSettings = {
  runner: z
    .enum(['auto', ...runnerName.options])
    .default('auto')
    .describe('what runs the model; auto: llama.cpp where it is installed and can say the model, or else Secateur'),
  type: runnerType
    .optional()
    .describe('how llama.cpp holds the weights; default: f16, and of a GGUF file what it holds'),
}
export type RunnerSettings = z.infer<z.ZodObject<typeof runnerSettings>>

/** What ran a model, how, and why not otherwise. */
export const ranSchema = z.object({
  runner: runnerName,
  /** Its name and release, for a person. */
  name: z.string(),
  /** How the weights are held: a type of GGUF, or that of the checkpoint. */
  type: z.string(),
  /** What computes, by its name; of llama.cpp `processor` where no graphics card does. */
  device: z.string(),
  threads: z.int().nullable(),
  /** Why the other one does not run it; null where this one was asked for. */
  why: z.string().nullable(),
  /** Builds of llama.cpp for graphics cards that were tried before, each with why it was passed over. */
  passed: z.array(z.string()).optional(),
  /** How far llama.cpp's log-likelihoods are from Secateur's of the checkpoint; null where that was not measured. */
  proof: proofSchema.nullable(),
})
export type Ran = z.infer<typeof ranSchema>

/**
 * What wrote the examples of several checkpoints, in the words of `text`, and the names of those it wrote for; null where that
 * is all of them.
 */
export function writersOf(
  examples: readonly { name: string; ran?: Ran | undefined }[],
  text: (ran: Ran) => string,
): { by: string; names: string[] | null }[] {
  const named = examples.flatMap(({ name, ran }) => (ran ? [{ name, by: text(ran) }] : []))
  return [...Map.groupBy(named, ({ by }) => by)].map(([by, of]) => ({
    by,
    names: of.length === examples.length ? null : of.map(({ name }) => name),
  }))
}

/** A build of llama.cpp for this platform. */
export const llamaCppBuildSchema = z.object({
  /** What it computes with. */
  build: z.enum(['cuda', 'vulkan', 'processor']),
  installed: z.boolean(),
  works: z.boolean(),
  /** What it computes on, why it is not used, or how it is installed, in words for a person. */
  detail: z.string(),
})
export type LlamaCppBuild = z.infer<typeof llamaCppBuildSchema>

/** A GGUF file that was written for llama.cpp, and is kept. */
const keptFile = z.object({
  file: z.string(),
  checkpoint: z.string(),
  type: z.string(),
  bytes: z.number(),
  /** Milliseconds since 1970. */
  used: z.number(),
})

/** Files that are kept, in bytes. */
export const keptFilesSchema = z.object({
  folder: z.string(),
  files: z.array(keptFile),
  bytes: z.number(),
  /** The most that is kept: what was not used for the longest time leaves first. */
  mostBytes: z.number(),
})
export type KeptFiles = z.infer<typeof keptFilesSchema>
