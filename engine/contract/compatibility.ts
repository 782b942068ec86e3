import { z } from 'zod'
import { ggufLayout } from './export.ts'

export const programName = z.enum(['transformers', 'llama.cpp', 'ONNX Runtime', 'Secateur'])
export type ProgramName = z.infer<typeof programName>

/** Whether a program loads a checkpoint, and why. */
export const compatibilitySchema = z.object({
  program: programName,
  loads: z.enum(['yes', 'no']),
  /** Of llama.cpp: the layout of the GGUF file that it loads. */
  layout: ggufLayout.optional(),
  /** In a sentence. */
  why: z.string(),
  /** Fields of config.json that decide. */
  fields: z.array(z.string()),
})
export type Compatibility = z.infer<typeof compatibilitySchema>
