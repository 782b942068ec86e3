import { z } from 'zod'
import {
  devicesSchema,
  jobEstimateSchema,
  sweepListsSchema,
  sweepPlanSchema,
  sweepText,
} from '../../engine/contract/index.ts'
import { appInfoSchema, folderListingSchema, settingsSchema, taskSchema } from './app.ts'
import { id, nothing, path, type Problem } from './common.ts'
import {
  datasetChangesSchema,
  datasetSchema,
  previewResultSchema,
  previewSchema,
  registerDatasetSchema,
  thumbnailSchema,
  tokenLengthsSchema,
} from './datasets.ts'
import {
  checkpointChangesSchema,
  checkpointDetailSchema,
  checkpointSchema,
  importCheckpointSchema,
  lineageSchema,
} from './library.ts'
import {
  columnSchema,
  comparisonSchema,
  historyFilterSchema,
  historyPageSchema,
  historyQuerySchema,
  logLineSchema,
  newRunSchema,
  pruningSnapshotSchema,
  runChangesSchema,
  runDetailSchema,
  runSchema,
  sampleSchema,
  scatterPointSchema,
  scatterQuerySchema,
  seriesQuerySchema,
  seriesSchema,
  sweepSchema,
} from './runs.ts'

/**
 * Contract A: what the renderer may ask of the main side, and what the main side tells it. Both hosts carry exactly these
 * messages; every one is parsed with these schemas where it arrives.
 */

export * from './app.ts'
export * from './common.ts'
export * from './connection.ts'
export * from './datasets.ts'
export * from './library.ts'
export * from './runs.ts'
/** What jobs are made of: the renderer builds its forms from these. */
export * as engine from '../../engine/contract/index.ts'

const byId = z.strictObject({ id })
const done = nothing

/** Requests: [what is asked, what is answered]. */
export const methods = {
  'app.info': [nothing, appInfoSchema],
  'settings.get': [nothing, settingsSchema],
  'settings.set': [settingsSchema.partial(), settingsSchema],
  'devices.list': [nothing, devicesSchema],

  /** One folder's content; without a path the folders that the user allowed. Names must contain the filter, in any case. */
  'folders.list': [
    z.strictObject({
      path: path.optional(),
      showFiles: z.boolean().default(true),
      filter: z.string().max(4096).default(''),
    }),
    folderListingSchema,
  ],
  /** The system's own dialog, where `nativeDialogs` says that there is one; null where it was closed. */
  'folders.choose': [
    z.strictObject({ kind: z.enum(['folder', 'file', 'archive']), title: z.string().max(200) }),
    path.nullable(),
  ],
  'folders.open': [z.strictObject({ path }), done],

  'tasks.list': [nothing, z.array(taskSchema)],
  'tasks.cancel': [byId, done],

  'library.list': [nothing, z.array(checkpointSchema)],
  'library.get': [byId, checkpointDetailSchema],
  'library.lineage': [byId, lineageSchema],
  'library.import': [importCheckpointSchema, checkpointSchema],
  'library.update': [checkpointChangesSchema, checkpointSchema],
  'library.relocate': [z.strictObject({ id, path }), checkpointSchema],
  /** Looks at the files again, and returns what changed. */
  'library.check': [nothing, z.array(checkpointSchema)],
  /** Takes it out of the library; `trash` moves its folder to the system's trash as well. */
  'library.remove': [z.strictObject({ id, files: z.enum(['keep', 'trash']) }), done],
  /** Undoes a removal that kept the files. */
  'library.restore': [byId, checkpointSchema],
  /** Copies the folder; progress comes as a task. */
  'library.export': [z.strictObject({ id, to: path }), done],

  'datasets.list': [nothing, z.array(datasetSchema)],
  'datasets.register': [registerDatasetSchema, datasetSchema],
  'datasets.update': [datasetChangesSchema, datasetSchema],
  'datasets.relocate': [z.strictObject({ id, path }), datasetSchema],
  'datasets.remove': [byId, done],
  'datasets.restore': [byId, datasetSchema],
  'datasets.preview': [previewSchema, previewResultSchema],
  'datasets.lengths': [
    z.strictObject({ id, checkpoint: id, sample: z.int().min(1).max(100_000).default(2000) }),
    tokenLengthsSchema,
  ],
  'datasets.thumbnails': [
    z.strictObject({ id, offset: z.int().min(0).default(0), limit: z.int().min(1).max(60).default(24) }),
    z.array(thumbnailSchema),
  ],

  'runs.estimate': [newRunSchema, jobEstimateSchema],
  /** How many runs the lists of a sweep come to, and what these differ in. */
  'runs.plan': [sweepListsSchema, sweepPlanSchema],
  /** Queues a run; it starts when its device is free. */
  'runs.create': [newRunSchema, runSchema],
  'runs.active': [nothing, z.array(runSchema)],
  'runs.get': [byId, runDetailSchema],
  'runs.pause': [byId, runSchema],
  'runs.resume': [byId, runSchema],
  'runs.cancel': [byId, runSchema],
  /** The same job again in a new folder. */
  'runs.retry': [byId, runSchema],
  /** Moves a queued run to a place in the queue. */
  'runs.move': [z.strictObject({ id, position: z.int().min(0) }), done],
  'runs.update': [runChangesSchema, runSchema],
  'runs.archive': [z.strictObject({ ids: z.array(id).min(1).max(10_000), archived: z.boolean() }), done],
  'runs.remove': [z.strictObject({ ids: z.array(id).min(1).max(10_000), files: z.enum(['keep', 'trash']) }), done],
  'runs.restore': [z.strictObject({ ids: z.array(id).min(1).max(10_000) }), done],
  'runs.series': [seriesQuerySchema, z.array(seriesSchema)],
  'runs.snapshot': [z.strictObject({ id, step: z.int().min(0) }), pruningSnapshotSchema.nullable()],
  'runs.samples': [byId, z.array(sampleSchema)],
  'runs.log': [z.strictObject({ id, after: z.int().min(0).default(0) }), z.array(logLineSchema)],
  /** How a sweep stands: its runs, what they come to so far, and its figures. */
  'runs.sweep': [byId, sweepSchema],
  /** Its tables as text. */
  'runs.sweepText': [z.strictObject({ id, as: sweepText }), z.string()],
  /** One archive of the whole run folder with what the history knows of it; progress comes as a task. */
  'runs.export': [z.strictObject({ id, to: path, includeOutput: z.boolean().default(true) }), path],
  'runs.importArchive': [z.strictObject({ path }), runSchema],
  /** A run folder that the command line wrote. */
  'runs.importFolder': [z.strictObject({ path }), runSchema],

  'history.columns': [nothing, z.array(columnSchema)],
  'history.query': [historyQuerySchema, historyPageSchema],
  'history.tags': [nothing, z.array(z.string())],
  /** The whole filtered table as text. */
  'history.export': [
    historyFilterSchema.extend({ columns: z.array(z.string()).max(200), format: z.enum(['csv', 'json']) }),
    z.string(),
  ],

  'compare.get': [
    z.strictObject({ ids: z.array(id).min(2).max(6), points: z.int().min(2).max(2000).default(600) }),
    comparisonSchema,
  ],
  'compare.scatter': [scatterQuerySchema, z.array(scatterPointSchema)],
} as const satisfies Record<string, readonly [z.ZodType, z.ZodType]>

export type Methods = typeof methods
export type Method = keyof Methods
export type Request<M extends Method> = z.input<Methods[M][0]>
/** A request as the service sees it: defaults filled in. */
export type ParsedRequest<M extends Method> = z.output<Methods[M][0]>
export type Answer<M extends Method> = z.output<Methods[M][1]>

/** What the main side tells every renderer as it happens. After a lost connection the renderer asks anew. */
export const events = {
  run: runSchema,
  /** New points of a run's curves, in order. */
  metrics: z.object({
    id,
    points: z.array(z.object({ name: z.string(), steps: z.array(z.number()), values: z.array(z.number().nullable()) })),
  }),
  /** Curves were cut back to a step, since the run goes on from there. */
  rewound: z.object({ id, step: z.int() }),
  snapshot: z.object({ id, snapshot: pruningSnapshotSchema }),
  sample: z.object({ id, sample: sampleSchema }),
  log: z.object({ id, lines: z.array(logLineSchema) }),
  /** Runs were removed, archived or restored. */
  runsChanged: z.object({ ids: z.array(id) }),
  checkpoint: z.object({ id, removed: z.boolean() }),
  dataset: z.object({ id, removed: z.boolean() }),
  task: taskSchema,
  settings: settingsSchema,
  /** Something that the user should be told wherever they are. */
  notice: z.object({ level: z.enum(['info', 'warning', 'error']), message: z.string() }),
} as const satisfies Record<string, z.ZodType>
export type Events = { [E in keyof typeof events]: z.output<(typeof events)[E]> }
export type EventName = keyof Events
export type AppEvent = { [E in EventName]: { name: E; payload: Events[E] } }[EventName]

/** What a host and its renderers talk through, whatever carries it: see `birpc`. */
export interface MainSide {
  /** Answers with an envelope, since errors do not survive every channel. */
  call(method: string, input: unknown): Promise<{ ok: unknown } | { problem: Problem }>
}
export interface RendererSide {
  event(event: AppEvent): void
}
/** What Electron's preload script puts on the page's window as `secateur`; a browser has no such thing. */
export interface WindowBridge {
  call: MainSide['call']
  subscribe(listener: (event: AppEvent) => void): () => void
  /** Path of a file or folder that was dropped on the window. */
  pathOf(file: File): string
}
