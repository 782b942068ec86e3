import { z } from 'zod'
import { path, readPath } from './names.ts'
import { ranSchema, runnerSettings, runnerType } from './runner.ts'
import { machineSettings, most } from './settings.ts'

/** How the speed of a checkpoint is measured, alone or beside another. */
export const speedSchema = z.strictObject({
  checkpoint: readPath,
  beside: readPath.optional().describe('checkpoint to lay beside it: the dense one'),
  runner: runnerSettings.runner,
  type: z
    .array(runnerType)
    .min(1)
    .optional()
    .describe('how llama.cpp holds the weights: f16, q8_0, q4_k_m; default: f16, and of a GGUF file what it holds'),
  promptTokens: z
    .array(z.coerce.number().int().min(1).max(most.tokens))
    .min(1)
    .default([128, 512])
    .describe('lengths of prompts'),
  newTokens: z.int().min(2).max(most.tokens).default(32).describe('tokens that are generated after a prompt'),
  repeats: z.int().min(1).max(10_000).default(3).describe('times that each length is measured'),
  ...machineSettings,
})
export type SpeedSettings = z.output<typeof speedSchema>

/** Tokens a second: medians of all repeats. */
export const lengthSpeedSchema = z.object({
  /** Tokens of the prompt. */
  prompt: z.int(),
  promptTokensPerSecond: z.number(),
  generatedTokensPerSecond: z.number(),
})
export type LengthSpeed = z.infer<typeof lengthSpeedSchema>

export const modelSpeedSchema = z.object({
  checkpoint: path,
  parameters: z.number(),
  ran: ranSchema,
  /** Of the weights as they are held. */
  weightBytes: z.number(),
  /** That the process holds which runs the model. */
  memoryBytes: z.number(),
  lengths: z.array(lengthSpeedSchema),
})
export type ModelSpeed = z.infer<typeof modelSpeedSchema>
