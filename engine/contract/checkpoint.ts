import { z } from 'zod'
import { compatibilitySchema } from './compatibility.ts'
import { failureSchema } from './names.ts'

/** What is left of one decoder layer. */
export const layerSchema = z.object({
  heads: z.int(),
  keyValueHeads: z.int(),
  channels: z.int(),
  /** Key/value head that each query head reads, where query heads were pruned raggedly. */
  keyValueHeadOf: z.array(z.int()).optional(),
})
export type Layer = z.infer<typeof layerSchema>

const file = z.object({ name: z.string(), bytes: z.number(), modifiedMs: z.number() })

/** A tokenizer that works, why it does not, or null where the folder has none. */
const tokenizer = z
  .union([
    z.object({
      /** Its file; `gguf` where it is in the file of the weights. */
      kind: z.enum(['tokenizer.json', 'tokenizer.model', 'gguf']),
      vocabulary: z.int(),
      chatTemplate: z.boolean(),
    }),
    z.object({ error: failureSchema }),
  ])
  .nullable()

const quantisation = z
  .object({
    /** Scales counted, over all weights of the file. */
    bitsPerWeight: z.number(),
    /** Weights of each type, by its name. */
    types: z.record(z.string(), z.number()),
  })
  .nullable()

const pixels = z.object({ width: z.int(), height: z.int() })
/** What a model of images looks at. */
export const imageFactsSchema = z.object({
  size: pixels,
  patch: pixels,
  colours: z.int(),
  /** Names of the classes in the order of the logits; none where there is no classifier. */
  classes: z.array(z.string()),
  /** What is done with an image before the model sees it; null where it cannot be read. */
  preprocessing: z
    .object({
      /** In words, such as "to 224 x 224"; null where images are left in their size. */
      resize: z.string().nullable(),
      filter: z.string(),
      /** The middle that is cut out afterwards. */
      crop: pixels.nullable(),
      /** Of colours between 0 and 1. */
      mean: z.array(z.number()),
      deviation: z.array(z.number()),
      /** The file that says so; null where the usual values are taken. */
      source: z.string().nullable(),
    })
    .nullable(),
})
export type ImageFacts = z.infer<typeof imageFactsSchema>

const checkpoint = z.object({
  kind: z.literal('checkpoint'),
  /** Its folder, or its (first) GGUF file. */
  folder: z.string(),
  format: z.enum(['safetensors', 'gguf', 'onnx']).default('safetensors'),
  /** What its weights were rounded to; null where they are stored as numbers of their own. */
  quantisation: quantisation.default(null),
  /** The model family that Secateur treats it as, and the class that config.json names. */
  family: z.string(),
  architecture: z.string(),
  parameters: z.number(),
  /** Type of most weights. */
  dtype: z.enum(['float32', 'float16', 'bfloat16']),
  /** Of the weights that the model uses. */
  bytes: z.number(),
  hiddenSize: z.int(),
  headSize: z.int(),
  vocabularySize: z.int(),
  maxPositions: z.int(),
  tiedEmbeddings: z.boolean(),
  layers: z.array(layerSchema),
  tokenizer,
  /** Of a model of images; null of a language model. */
  images: imageFactsSchema.nullable().default(null),
  /** What is odd about it: config, weights and tokenizer that contradict each other. */
  warnings: z.array(z.string()).default([]),
  /** Which programs load it. */
  compatibility: z.array(compatibilitySchema).default([]),
  /** Everything in the folder, subfolders left out; of a GGUF file its parts. */
  files: z.array(file),
})

const adapter = z.object({
  kind: z.literal('adapter'),
  folder: z.string(),
  rank: z.int(),
  alpha: z.number(),
  dropout: z.number(),
  rankStabilised: z.boolean(),
  /** Linear layers that it adapts, by their names within a block. */
  targetModules: z.array(z.string()),
  /** Layers that have matrices. */
  layers: z.int(),
  parameters: z.number(),
  bytes: z.number(),
  /** Name or path of the base model, as the adapter's trainer wrote it. */
  base: z.string().nullable(),
  files: z.array(file),
})

/** What a Hugging Face folder is, from its headers alone: a checkpoint or a PEFT adapter. */
export const inspectionSchema = z.discriminatedUnion('kind', [checkpoint, adapter])
export type Inspection = z.infer<typeof inspectionSchema>
export type CheckpointInspection = z.infer<typeof checkpoint>
export type AdapterInspection = z.infer<typeof adapter>

export const folderHashSchema = z.object({
  /** SHA-256 in hex over names, sizes and bytes of weights and config, in the order of the names. */
  hash: z.string(),
  bytes: z.number(),
  files: z.int(),
})
