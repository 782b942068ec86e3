import { z } from 'zod'
import { foundModelSchema } from '../../engine/contract/index.ts'
import { done, id, type MethodTable, nothing, path, time } from './common.ts'

export const driveSchema = z.object({
  /** Where it is mounted: "/", "/media/me/models", "D:\". */
  mount: z.string(),
  freeBytes: z.number(),
  totalBytes: z.number(),
})
export type Drive = z.infer<typeof driveSchema>

/** A folder that checkpoints are kept in. */
const keptFolderSchema = z.object({
  /** Null of the one that the settings name for copies, which stays. */
  id: id.nullable(),
  path: z.string(),
  /** Whether its drive is there; a folder that is not made yet is, where it can be made. */
  isHere: z.boolean(),
  drive: driveSchema.nullable(),
})
export type KeptFolder = z.infer<typeof keptFolderSchema>

/** What a look through a folder came to. */
export const scanReportSchema = z.object({
  /** Models in it, in the library or not. */
  models: z.int(),
  /** What looks like a model and cannot be imported: how many, and the first of them. */
  unusableCount: z.int(),
  unusable: z.array(z.object({ path: z.string(), reason: z.string() })),
  /** Whether there was more than is looked through. */
  truncated: z.boolean(),
  /** Why it could not be looked through. */
  problem: z.string().nullable(),
})
export type ScanReport = z.infer<typeof scanReportSchema>

/** A folder in which models are looked for. */
const watchedFolderSchema = scanReportSchema.extend({
  id,
  path: z.string(),
  isHere: z.boolean(),
  /** When it was looked through last; null where it was not yet. */
  scanned: time.nullable(),
})
export type WatchedFolder = z.infer<typeof watchedFolderSchema>

/** A drive with what lies on it of the library. */
const libraryDriveSchema = driveSchema.extend({
  checkpoints: z.int(),
  bytes: z.number(),
})
export type LibraryDrive = z.infer<typeof libraryDriveSchema>

const libraryFoldersSchema = z.object({
  /** The folder of the settings first. */
  kept: z.array(keptFolderSchema),
  watched: z.array(watchedFolderSchema),
  /** Drives of checkpoints and folders that are here, the one with most checkpoints first. */
  drives: z.array(libraryDriveSchema),
})
export type LibraryFolders = z.infer<typeof libraryFoldersSchema>

/** A model in a watched folder that is not in the library. */
export const offerSchema = foundModelSchema.extend({ id, dismissed: z.boolean() })
export type Offer = z.infer<typeof offerSchema>

/** Requests about the places of the library. */
export const libraryFolderMethods = {
  'libraryFolders.get': [nothing, libraryFoldersSchema],
  /** The answer's path is the given one with its links followed, as the folder is listed. */
  'libraryFolders.add': [z.strictObject({ path, use: z.enum(['kept', 'watched']) }), z.object({ path })],
  /** Forgets a folder, and nothing in it. */
  'libraryFolders.remove': [z.strictObject({ id }), done],
  /** Looks through all watched folders again. */
  'libraryFolders.scan': [nothing, done],
  /** What was found in watched folders that are here, and is not in the library. */
  'libraryFolders.offers': [nothing, z.array(offerSchema)],
  'libraryFolders.dismiss': [z.strictObject({ ids: z.array(id).max(10_000), dismissed: z.boolean() }), done],
  /** The drive that a folder lies on, or would lie on; null where it does not answer. */
  'libraryFolders.drive': [z.strictObject({ path }), driveSchema.nullable()],
} as const satisfies MethodTable
