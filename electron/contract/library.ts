import { z } from 'zod'
import {
  compatibilitySchema,
  exportedSchema,
  exportFormats,
  fitsSchema,
  imageFactsSchema,
  scoresSchema,
} from '../../engine/contract/index.ts'
import { byId, done, id, type MethodTable, name, notes, nothing, path, tags, time } from './common.ts'

export const checkpointKind = z.enum(['base', 'finetuned', 'pruned', 'merged', 'adapter', 'exported'])
export const layerShapeSchema = z.object({ heads: z.int(), keyValueHeads: z.int(), channels: z.int() })

export const checkpointSchema = z.object({
  id,
  name: z.string(),
  path: z.string(),
  storage: z.enum(['in-place', 'copied', 'run-output']),
  kind: checkpointKind,
  /** llama, mistral, qwen2, qwen3, ... */
  family: z.string(),
  parameters: z.int(),
  dtype: z.string(),
  /** Of its files: a graph (ONNX) can be kept and looked at, and nothing can be run with it. */
  format: z.enum(exportFormats),
  /** On disk. */
  bytes: z.number(),
  tokenizer: z.string().nullable(),
  /** Of a model of images: the size in pixels that it takes, and how many classes it tells apart; null of others. */
  images: imageFactsSchema.pick({ size: true }).extend({ classes: z.int() }).nullable(),
  /** `away`: its drive is not here now. */
  status: z.enum(['present', 'missing', 'changed', 'away']),
  /** Where the drive is mounted that it is on, or was on; null until that is known. */
  mount: z.string().nullable(),
  /** What can be done with it on this computer; null of an adapter or a graph, and until it is known. */
  fits: fitsSchema.nullable(),
  /** The run that wrote it. */
  runId: id.nullable(),
  /** The sweep that this run belongs to. */
  sweep: z.object({ id, name: z.string() }).nullable(),
  tags,
  notes: z.string(),
  favourite: z.boolean(),
  added: time,
  /** Other checkpoints of the library with the same content. */
  duplicates: z.array(id),
  /** Null while it is being computed. */
  contentHash: z.string().nullable(),
})
export type CheckpointSummary = z.infer<typeof checkpointSchema>

const quantisationSchema = z.object({
  /** Scales counted. */
  bitsPerWeight: z.number(),
  /** Weights of each type. */
  types: z.record(z.string(), z.number()),
})

export const checkpointDetailSchema = checkpointSchema.extend({
  /** The class that config.json names; null of an adapter. */
  architecture: z.string().nullable(),
  hiddenSize: z.int(),
  headSize: z.int(),
  vocabularySize: z.int(),
  maxPositions: z.int(),
  tiedEmbeddings: z.boolean(),
  /** What a model of images looks at; null of others. */
  imageFacts: imageFactsSchema.nullable(),
  /** Empty for an adapter. */
  layers: z.array(layerShapeSchema),
  /** Shapes of the dense checkpoint that it was pruned from, where that is known. */
  originalLayers: z.array(layerShapeSchema).nullable(),
  /** The dense checkpoint of the library that it came from in the end; null where it came from none. */
  dense: id.nullable(),
  /** What is odd about it: config, weights and tokenizer that contradict each other. */
  warnings: z.array(z.string()),
  /** What its weights were rounded to; null where they are stored as numbers of their own. */
  quantisation: quantisationSchema.nullable(),
  /** Which programs load it, and why; empty for an adapter. */
  compatibility: z.array(compatibilitySchema),
  /** What the export that wrote it found. */
  exported: exportedSchema.nullable(),
  adapter: z
    .object({ rank: z.int(), alpha: z.number(), targetModules: z.array(z.string()), base: z.string().nullable() })
    .nullable(),
  files: z.array(z.object({ name: z.string(), bytes: z.number() })),
  /** Scores taken of it, newest first. */
  evaluations: z.array(z.object({ runId: id, runName: z.string(), finished: time, scores: scoresSchema })),
  /** Runs that read it or wrote it. */
  runs: z.array(
    z.object({ id, name: z.string(), kind: z.string(), state: z.string(), role: z.enum(['input', 'output']) }),
  ),
})
export type CheckpointDetail = z.infer<typeof checkpointDetailSchema>

export const lineageSchema = z.object({
  nodes: z.array(
    z.object({
      key: z.string(),
      kind: z.enum(['checkpoint', 'run']),
      id,
      name: z.string(),
      /** Kind of checkpoint or of run. */
      detail: z.string(),
      /** Runs of a sweep that it stands for, with what they wrote; 0 of all others. */
      folded: z.int(),
    }),
  ),
  edges: z.array(z.object({ from: z.string(), to: z.string() })),
})
export type Lineage = z.infer<typeof lineageSchema>

export const checkpointChangesSchema = z.strictObject({
  id,
  name: name.optional(),
  notes: notes.optional(),
  tags: tags.optional(),
  favourite: z.boolean().optional(),
})
export const importCheckpointSchema = z.strictObject({
  path,
  mode: z.enum(['in-place', 'copy']).default('in-place'),
  /** Whether files that the library has already are copied once more. */
  twins: z.enum(['copy', 'refuse']).default('copy'),
  /** The folder that a copy goes into; default: that of the settings. */
  to: path.optional(),
  /** What it is called; default: its folder or file. */
  name: name.optional(),
})

export const exportPlaceSchema = z.strictObject({
  id,
  format: z.enum(exportFormats),
  /** How weights will be stored. */
  type: z.string().regex(/^\w{1,20}$/),
  folder: path.optional(),
})

/** Requests about checkpoints and adapters. */
export const libraryMethods = {
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
  /** The place that an export would get: a name in the folder (or that of the settings) which is free. */
  'library.exportPlace': [exportPlaceSchema, path],
  /**
   * Moves the files of checkpoints into a folder, one after the other; progress comes as a task. A copy on another drive is
   * compared with its original before that is removed.
   */
  'library.move': [z.strictObject({ ids: z.array(id).min(1).max(1000), to: path }), done],
  /** Copies the folder; progress comes as a task. */
  'library.export': [z.strictObject({ id, to: path }), done],
} as const satisfies MethodTable
