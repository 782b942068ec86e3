import { z } from 'zod'
import { folderHashSchema, inspectionSchema } from './checkpoint.ts'
import { clusterReportSchema, clusterSchema, taskReportSchema } from './cluster.ts'
import { choiceFilter, comparedChoicesSchema } from './compared-choices.ts'
import { copiedSchema, copySchema } from './copy.ts'
import { dataCheckSchema } from './data-check.ts'
import { datasetKind, datasetSchema, previewRows, previewSchema, tokenLengthsSchema } from './dataset.ts'
import { jobEstimateSchema } from './estimate.ts'
import { fitsSchema } from './fits.ts'
import { foundModelsSchema } from './found-models.ts'
import { imageCheckSchema, imageSetSchema, imageSplit, seenImagesSchema, thumbnailsSchema } from './image-set.ts'
import { jobSchema, sweepListsSchema } from './job.ts'
import { failureSchema, path } from './names.ts'
import { planResultSchema, planSchema } from './plan.ts'
import { playgroundMethods } from './playground.ts'
import { comparedImagesSchema, fileThumbnailSchema, imageFilter, scoredCheckpoint } from './predictions.ts'
import { runReportSchema } from './run-files.ts'
import { backendName, machineSettings, trainingSettings } from './settings.ts'
import { keptFilesSchema, llamaCppBuildSchema } from './runner.ts'
import { modelSpeedSchema, speedSchema } from './speed.ts'
import { sweepPlanSchema, sweepStateSchema, sweepText } from './sweep.ts'

/** Back ends that compute, and why one cannot be used here. */
export const devicesSchema = z.object({
  /** The back end that `auto` takes. */
  chosen: z.string(),
  backends: z.array(
    z.object({
      name: backendName,
      works: z.boolean(),
      /** Why it is not used, or what it computes on, in words for a person. */
      detail: z.string(),
      /** The processor or graphics card. */
      device: z.string().nullable(),
      /** Memory of the device, where it can be told. */
      memoryBytes: z.number().nullable(),
      /** Speed of a frozen linear layer, where it was measured to choose. */
      gigaflops: z.number().nullable(),
    }),
  ),
  processor: z.string(),
  cores: z.int(),
  memoryBytes: z.number(),
})
export type Devices = z.infer<typeof devicesSchema>

const dataset = { path, kind: datasetKind.optional(), field: z.string().min(1).optional(), checkpoint: path }

/** Some images of a set: of a split and of a class, where these are named, from one on. */
const someImages = {
  path,
  split: imageSplit.optional(),
  className: z.string().max(4096).optional(),
  offset: z.int().min(0).default(0),
}

/** What the service process answers. A method that takes long also sends progress, and every request can be cancelled. */
export const serviceMethods = {
  /** What a folder is: a checkpoint or an adapter. Reads headers alone. */
  inspect: { params: z.strictObject({ checkpoint: path }), result: inspectionSchema },
  /** Hash of a checkpoint's or adapter's content, to tell duplicates. Progress in bytes. */
  hash: { params: z.strictObject({ folder: path }), result: folderHashSchema },
  /** Models in a folder and below it. Reads headers alone. Progress in folders, of those that are known. */
  findModels: { params: z.strictObject({ folder: path }), result: foundModelsSchema },
  /** Copies files to a new folder, syncs them and reads both again to compare. Progress in bytes, of the copy and of the comparison. */
  copyFiles: { params: copySchema, result: copiedSchema },
  /** What can be done with a checkpoint on this computer. */
  fits: { params: z.strictObject({ checkpoint: path, ...machineSettings }), result: fitsSchema },
  /** Format and kind of a data file or a folder of images. */
  detectDataset: { params: z.strictObject({ path }), result: datasetSchema },
  /** Rows as the model will see them. */
  previewDataset: {
    params: z.strictObject({
      ...dataset,
      trainOn: trainingSettings.trainOn,
      offset: z.int().min(0).default(0),
      limit: z.int().min(1).max(previewRows).default(20),
    }),
    result: previewSchema,
  },
  /** Histogram of the lengths of examples, over the first `sample` rows. Progress in rows. */
  tokenLengths: {
    params: z.strictObject({
      ...dataset,
      trainOn: trainingSettings.trainOn,
      badRows: trainingSettings.badRows,
      sample: z.int().min(1).max(1e6).default(2000),
    }),
    result: tokenLengthsSchema,
  },
  /** Splits and classes of a set of labelled images. Decodes none of them. */
  describeImages: { params: z.strictObject({ path }), result: imageSetSchema },
  /** Decodes all images of a set: which are broken, and which are in both splits. Progress in images. */
  checkImages: { params: z.strictObject({ path }), result: imageCheckSchema },
  /** Images as a checkpoint sees them, beside the images themselves. */
  seenImages: {
    params: z.strictObject({ ...someImages, checkpoint: path, limit: z.int().min(1).max(24).default(6) }),
    result: seenImagesSchema,
  },
  /** Small images of a set; one that is damaged has an error in its place. */
  imageThumbnails: {
    params: z.strictObject({
      ...someImages,
      limit: z.int().min(1).max(100).default(24),
      /** Pixels of the longer side. */
      size: z.int().min(16).max(512).default(128),
    }),
    result: thumbnailsSchema,
  },
  /** Small images of those that are named; one that is missing or damaged has an error in its place. */
  fileThumbnails: {
    params: z.strictObject({
      /** Files, and rows of files that hold many. */
      images: z.array(z.strictObject({ file: path, row: z.int().min(0).optional() })).max(100),
      /** Pixels of the longer side. */
      size: z.int().min(16).max(512).default(128),
    }),
    result: z.array(fileThumbnailSchema),
  },
  /** What a job will leave, need and take. */
  estimate: {
    params: z.strictObject({
      job: jobSchema,
      /** Memory of other processes that will have ended when the job starts. */
      releasableBytes: z.number().min(0).default(0),
    }),
    result: jobEstimateSchema,
  },
  /** Reads all data and task files of a job. Progress in bytes. */
  checkData: { params: z.strictObject({ job: jobSchema }), result: dataCheckSchema },
  devices: { params: z.strictObject({}), result: devicesSchema },
  /** Builds of llama.cpp for this platform, in the order in which they are tried. */
  llamaCppBuilds: { params: z.strictObject({}), result: z.array(llamaCppBuildSchema) },
  /** Files that are kept for llama.cpp, or were until now. */
  keptFiles: { params: z.strictObject({ remove: z.boolean().default(false) }), result: keptFilesSchema },
  /** How fast a checkpoint runs, alone or beside another, in each of some types. Progress in parts of the whole. */
  measureSpeeds: { params: speedSchema, result: z.array(modelSpeedSchema) },
  /** What a run folder holds. */
  readRunFolder: { params: z.strictObject({ path }), result: runReportSchema },
  /** What budgets come to by the scores that a run has kept. */
  planBudgets: { params: planSchema, result: planResultSchema },
  /** What two checkpoints said of the same images, or one of them alone; null where a run folder does not keep it. */
  compareImages: {
    params: z.strictObject({
      before: z.strictObject({ path, which: scoredCheckpoint }).optional(),
      after: z.strictObject({ path, which: scoredCheckpoint }),
      ...imageFilter,
      limit: z.int().min(1).max(100).default(24),
    }),
    result: comparedImagesSchema.nullable(),
  },
  /** What two checkpoints said of the same rows of a task, or one of them alone; null where a run folder does not keep it. */
  compareChoices: {
    params: z.strictObject({
      before: z.strictObject({ path, which: scoredCheckpoint }).optional(),
      after: z.strictObject({ path, which: scoredCheckpoint }),
      ...choiceFilter,
      limit: z.int().min(1).max(500).default(50),
    }),
    result: comparedChoicesSchema.nullable(),
  },
  /** How many runs lists come to, and what these differ in. */
  planSweep: { params: sweepListsSchema, result: sweepPlanSchema },
  /** How the sweep in a folder stands, whether or not it runs. */
  readSweep: { params: z.strictObject({ path }), result: sweepStateSchema },
  /** The same as a text to keep elsewhere. */
  reportSweep: { params: z.strictObject({ path, as: sweepText }), result: z.string() },
  /** Whether sweeps can be submitted to a cluster from this computer, or from a login node that it reaches over ssh. */
  cluster: { params: z.strictObject({ cluster: clusterSchema.optional() }), result: clusterReportSchema },
  /** Ends what waits or runs of a sweep on its cluster, and says in words what came of it. */
  cancelSweep: { params: z.strictObject({ path }), result: z.string() },
  /** What the scheduler has of a run of a sweep, and what it prints. */
  readTask: { params: z.strictObject({ path, name: z.string().regex(/^[\w.-]+$/) }), result: taskReportSchema },
  ...playgroundMethods,
} as const satisfies Record<string, { params: z.ZodType; part?: z.ZodType; result: z.ZodType }>

export type ServiceMethod = keyof typeof serviceMethods
export type ServiceParams<Method extends ServiceMethod> = z.input<(typeof serviceMethods)[Method]['params']>
/** The parameters of a method as they are after parsing, with defaults filled in. */
export type ParsedServiceParams<Method extends ServiceMethod> = z.output<(typeof serviceMethods)[Method]['params']>
export type ServiceResult<Method extends ServiceMethod> = z.output<(typeof serviceMethods)[Method]['result']>
/** What a method sends piece by piece before its result. */
export type ServicePart<Method extends ServiceMethod> = (typeof serviceMethods)[Method] extends {
  part: infer Part extends z.ZodType
}
  ? z.output<Part>
  : never

const requestId = z.int().min(0)
/** What the service process is sent. */
export const serviceRequestSchema = z.union([
  z.strictObject({ id: requestId, method: z.string(), params: z.unknown() }),
  z.strictObject({ cancel: requestId }),
])
export type ServiceRequest = z.infer<typeof serviceRequestSchema>

/** What it answers: any number of progresses and parts, then one result or error. A cancelled request ends with `interrupted`. */
export const serviceResponseSchema = z.union([
  z.strictObject({ id: requestId, result: z.unknown() }),
  z.strictObject({ id: requestId, error: failureSchema }),
  z.strictObject({ id: requestId, part: z.unknown() }),
  z.strictObject({ id: requestId, progress: z.object({ done: z.number(), total: z.number() }) }),
])
export type ServiceResponse = z.infer<typeof serviceResponseSchema>
