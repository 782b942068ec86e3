import { z } from 'zod'
import { devicesSchema, keptFilesSchema, llamaCppBuildSchema } from '../../engine/contract/index.ts'
import { savedClusterSchema } from './clusters.ts'
import { byId, done, id, type MethodTable, nothing, path, searched, time } from './common.ts'

export const appInfoSchema = z.object({
  version: z.string(),
  host: z.enum(['electron', 'headless']),
  /** Whether the host shows the system's own file dialogs; otherwise the folder browser is used. */
  nativeDialogs: z.boolean(),
  /** Whether the host can show a folder in the system's file manager. */
  canOpenFolders: z.boolean(),
  platform: z.string(),
  dataFolder: z.string(),
  node: z.string(),
  /** A database that could not be read and was kept aside at this start. */
  databaseKeptAside: z.string().optional(),
})
export type AppInfo = z.infer<typeof appInfoSchema>

export const settingsSchema = z.strictObject({
  theme: z.enum(['system', 'light', 'dark']).default('system'),
  /** Where new run folders are made. */
  runsFolder: path,
  /** Where copied checkpoints go. */
  checkpointsFolder: path,
  device: z.string().default('auto'),
  threads: z.int().min(1).max(1024).optional(),
  notifications: z.boolean().default(true),
  keepAwake: z.boolean().default(true),
  /** Columns of the history table, by key. */
  historyColumns: z.array(z.string().max(100)).max(60).optional(),
  /** Views of the history that were kept: each is a query of its address. */
  historyViews: z
    .array(z.strictObject({ name: z.string().trim().min(1).max(60), query: z.string().max(8000) }))
    .max(100)
    .default([]),
  /** Clusters that sweeps were set up for. */
  clusters: z.array(savedClusterSchema).max(50).default([]),
  libraryView: z.enum(['cards', 'table']).default('cards'),
})
export type Settings = z.infer<typeof settingsSchema>

export const folderEntrySchema = z.object({
  name: z.string(),
  path: z.string(),
  kind: z.enum(['folder', 'file']),
  bytes: z.number().nullable(),
  modified: time.nullable(),
  /** Holds a config.json and weights, so that it can be imported. */
  isCheckpoint: z.boolean(),
  /** Holds a run.json. */
  isRun: z.boolean(),
})
export const folderListingSchema = z.object({
  path: z.string(),
  /** Null at the top of what is allowed. */
  parent: z.string().nullable(),
  /** Folders first, each kind in the natural order of its names. */
  entries: z.array(folderEntrySchema),
  /** More names fit than are listed: the first ones are. */
  truncated: z.boolean(),
  /** The folder holds more names than were read, so that no filter finds them all. */
  unread: z.boolean(),
})
export type FolderListing = z.infer<typeof folderListingSchema>

/** Something that takes time outside a run: copying, hashing, exporting, timing layers. */
export const taskSchema = z.object({
  id,
  kind: z.enum(['copy', 'hash', 'export', 'import', 'count', 'check', 'measure', 'scan', 'move']),
  title: z.string(),
  done: z.number(),
  total: z.number(),
  state: z.enum(['running', 'done', 'failed', 'cancelled']),
  secondsLeft: z.number().nullable(),
  problem: z.string().nullable(),
  /** Of the checkpoint or run that it is about. */
  subject: z.object({ kind: z.enum(['checkpoint', 'dataset', 'run']), id }).nullable(),
})
export type BackgroundTask = z.infer<typeof taskSchema>

/** Requests about the app itself, the computer, its folders and what runs in the background. */
export const appMethods = {
  'app.info': [nothing, appInfoSchema],
  'settings.get': [nothing, settingsSchema],
  'settings.set': [settingsSchema.partial(), settingsSchema],
  'devices.list': [nothing, devicesSchema],
  'llamaCpp.builds': [nothing, z.array(llamaCppBuildSchema)],
  /** Requests of the page to other computers that the host refused; null where the browser alone knows. */
  'app.network': [nothing, z.object({ count: z.int(), last: z.string().nullable() }).nullable()],
  /** A text that helps to find a fault, without names, paths, texts or prompts. */
  'app.diagnostics': [nothing, z.string()],

  /** One folder's content; without a path the folders that the user allowed. Names must contain the filter, in any case. */
  'folders.list': [
    z.strictObject({
      path: path.optional(),
      showFiles: z.boolean().default(true),
      filter: searched(4096),
    }),
    folderListingSchema,
  ],
  /** The system's own dialog, where `nativeDialogs` says that there is one; null where it was closed. */
  'folders.choose': [
    z.strictObject({ kind: z.enum(['folder', 'file', 'archive']), title: z.string().max(200) }),
    path.nullable(),
  ],
  'folders.open': [z.strictObject({ path }), done],

  /** Files that checkpoints were written as for llama.cpp. */
  'keptFiles.list': [nothing, keptFilesSchema],
  /** Removes all of them. */
  'keptFiles.remove': [nothing, done],

  'tasks.list': [nothing, z.array(taskSchema)],
  'tasks.cancel': [byId, done],
} as const satisfies MethodTable
