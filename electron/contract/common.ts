import { z } from 'zod'

export const id = z.int().min(1)
/** Of characters that a file's name or a search may have. */
const withoutNul = z.string().regex(/^[^\0]*$/, 'holds a NUL byte')
export const path = withoutNul.min(1).max(4096)
/** What names are searched for. */
export const searched = (longest: number) => withoutNul.max(longest).default('')
/** Milliseconds since 1970. */
export const time = z.number()
export const name = z.string().trim().min(1).max(200)
export const notes = z.string().max(100_000)
export const tag = z.string().trim().min(1).max(60)
export const tags = z.array(tag).max(50)
export const nothing = z.undefined()
/** What is asked of one thing, and the answer where there is nothing to say. */
export const byId = z.strictObject({ id })
export const done = nothing

/** Requests by their names: [what is asked, what is answered]. */
export type MethodTable = Record<string, readonly [z.ZodType, z.ZodType]>

/** What every error becomes on its way to the renderer. */
export const problemSchema = z.object({
  /** `bad-setting`, `bad-file`, `does-not-fit`, `unsupported`, `not-found`, `in-use`, `conflict`, `refused`, `interrupted`, `internal`. */
  kind: z.string(),
  message: z.string(),
  file: z.string().optional(),
  field: z.string().optional(),
})
export type Problem = z.infer<typeof problemSchema>
