import { z } from 'zod'
import { outputDtype } from './settings.ts'

/** Writes a GGUF file as a folder. */
export const importSchema = z.strictObject({
  file: z.string().min(1),
  out: z.string().min(1).describe('folder of the checkpoint that is written'),
  outputDtype,
})
export type ImportSettings = z.infer<typeof importSchema>
