import { z } from 'zod'
import { path } from './names.ts'

/** What is copied to another place and compared there, byte by byte. */
export const copySchema = z.strictObject({
  from: path,
  /** A new folder. */
  to: path,
  /** Where the copy grows: beside `to`, and renamed to it once it is whole. What is there is removed first. */
  temporary: path,
  /** Files within `from`; all of them are regular ones. */
  files: z.array(z.strictObject({ name: path, bytes: z.number() })).max(100_000),
})
export const copiedSchema = z.object({
  /** SHA-256 in hex over names, sizes and bytes of all files. */
  hash: z.string(),
  bytes: z.number(),
})
