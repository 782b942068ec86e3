import { z } from 'zod'
import { path } from './names.ts'

/** A checkpoint or an adapter that can be imported, from its headers alone. */
export const foundModelSchema = z.object({
  /** Its folder, or its (first) GGUF file, without links. */
  path,
  /** What it is called: its folder or file, in the Hub's cache its repository. */
  name: z.string(),
  kind: z.enum(['checkpoint', 'adapter']),
  format: z.enum(['safetensors', 'gguf']),
  /** The model family; "adapter" of an adapter. */
  family: z.string(),
  parameters: z.number(),
  /** Of its files. */
  bytes: z.number(),
})
export type FoundModel = z.infer<typeof foundModelSchema>

export const foundModelsSchema = z.object({
  models: z.array(foundModelSchema),
  /** What looks like a model and cannot be imported, and why: the first of them. */
  unusable: z.array(z.object({ path, reason: z.string() })),
  /** Of all of them. */
  unusableCount: z.int(),
  /** Folders that were looked through, with the time of their last change: a later look compares. */
  folders: z.array(z.object({ path, modifiedMs: z.number() })),
  /** Whether there was more than is looked through. */
  truncated: z.boolean(),
  /** Whether something unusable was changed a moment ago, as what is still being copied. */
  unsettled: z.boolean(),
})
export type FoundModels = z.infer<typeof foundModelsSchema>
