import { z } from 'zod'
import { readPath, writtenPath } from './names.ts'
import { machineSettings } from './settings.ts'

/** How weights are stored in GGUF, by the names of llama.cpp. */
export const ggufType = z.enum(['f32', 'f16', 'bf16', 'q8_0', 'q4_0', 'q4_k_m', 'q5_k_m', 'q6_k'])
export type GgufType = z.infer<typeof ggufType>

/** How layers that differ are said: `stock` cannot say it, `deci` says it layer by layer, `padded` fills up with zeros. */
export const ggufLayout = z.enum(['stock', 'deci', 'padded'])
export type GgufLayout = z.infer<typeof ggufLayout>

/** The model card of a GGUF file, which may lie beside others: NAME.gguf has NAME.README.md. */
export const cardBeside = (file: string): string => `${file.replace(/\.gguf$/i, '')}.README.md`

const common = {
  kind: z.literal('export'),
  checkpoint: readPath,
}

const proving = {
  proof: z
    .boolean()
    .default(true)
    .describe('read the file back, run it, and say how far its log-likelihoods are from those of the checkpoint'),
}

export const exportGgufSchema = z.strictObject({
  ...common,
  format: z.literal('gguf').describe('format of the file'),
  out: writtenPath.describe('the .gguf file, or the folder of the other formats'),
  type: ggufType.default('f16').describe('how weights are stored'),
  layout: z
    .enum(['auto', ...ggufLayout.options])
    .default('auto')
    .describe(
      'how layers that differ are written: as deci (Llama and Mistral) or filled up with zeros; auto: the smaller',
    ),
  calibrate: readPath
    .optional()
    .describe(
      'text that quantised weights are rounded for: errors in features that it uses count more, and are made up for where the type allows it',
    ),
  ...proving,
  ...machineSettings,
})

const plain = {
  out: writtenPath.describe('the .gguf file, or the folder of the other formats'),
  dtype: z
    .enum(['same', 'f32', 'f16', 'bf16'])
    .default('same')
    .describe('type of the weights; same: that of most weights in the checkpoint'),
}

export const exportSafetensorsSchema = z.strictObject({
  ...common,
  format: z.literal('safetensors').describe('format of the file'),
  ...plain,
  shardSize: z.number().positive().max(1e6).default(5).describe('gigabytes of weights in one file at most'),
  ...proving,
  ...machineSettings,
})

export const exportOnnxSchema = z.strictObject({
  ...common,
  format: z.literal('onnx').describe('format of the file'),
  ...plain,
  ...proving,
  ...machineSettings,
})

const formats = [exportGgufSchema, exportSafetensorsSchema, exportOnnxSchema] as const
/** Writes a checkpoint in the format of another program. */
export const exportSchema = z.discriminatedUnion('format', formats)
export const exportFormats = formats.map(({ shape }) => shape.format.value)
export type ExportFormat = (typeof exportFormats)[number]

/** The schema of a format; undefined where there is no such format. */
export const schemaOfFormat = (format: unknown) => formats.find(({ shape }) => shape.format.value === format)

export type ExportJob = z.infer<typeof exportSchema>
export type ExportGgufJob = z.infer<typeof exportGgufSchema>
export type ExportSafetensorsJob = z.infer<typeof exportSafetensorsSchema>
export type ExportOnnxJob = z.infer<typeof exportOnnxSchema>

/** How far log-likelihoods of tokens by what was written are from those by the checkpoint, in nats. */
export const proofSchema = z.object({
  texts: z.int(),
  tokens: z.int(),
  worst: z.number(),
  mean: z.number(),
})
export type Proof = z.infer<typeof proofSchema>

/** What an export wrote. */
export const exportedSchema = z.object({
  /** The file, or the folder. */
  file: z.string(),
  bytes: z.number(),
  /** How most weights are stored. */
  type: z.string(),
  layout: ggufLayout.optional(),
  /** Bits of the file's tensors for each parameter of the checkpoint. */
  bitsPerWeight: z.number(),
  /** Left out where none was asked for, or the model does not fit into memory. */
  proof: proofSchema.optional(),
})
export type Exported = z.infer<typeof exportedSchema>
