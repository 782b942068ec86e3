import { z } from 'zod'
import { badFile } from '../shared/errors.ts'
import { parseAs } from '../shared/files.ts'
import { isStock, layerSchema, layersOf, raggedFields } from './decoder-layers.ts'
import type { ModelConfig } from './model-config.ts'

/** Height and width in pixels. */
export type Size = readonly [height: number, width: number]

/** A size in words. */
export const pixelsText = ([height, width]: Size): string => `${width} x ${height}`

/** An encoder of images with a classifier on its class token. */
export interface EncoderConfig extends ModelConfig {
  patchValues: number
  imageSize: Size
  patchSize: Size
  /** Values of a pixel: 3 for red, green and blue. */
  colours: number
  /** Tokens before those of the patches: the class token, and DeiT's distillation token. */
  prefixTokens: 1 | 2
  /** Whether queries, keys and values have a bias; all other linear layers have one. */
  queryKeyValueBias: boolean
  /** Names of the classes, in the order of the logits; empty where the checkpoint has no classifier. */
  labels: readonly string[]
}

export const isOfImages = (config: ModelConfig): config is EncoderConfig => config.patchValues !== undefined

/** Tokens that stand for patches of an image. */
export const patchCount = ({ imageSize, patchSize }: Pick<EncoderConfig, 'imageSize' | 'patchSize'>): number =>
  Math.floor(imageSize[0] / patchSize[0]) * Math.floor(imageSize[1] / patchSize[1])

/** Tokens of an image in the blocks. */
export const tokenCount = (config: Pick<EncoderConfig, 'imageSize' | 'patchSize' | 'prefixTokens'>): number =>
  config.prefixTokens + patchCount(config)

/** Numbers that a patch is made of. */
const patchValues = ({ patchSize, colours }: Pick<EncoderConfig, 'patchSize' | 'colours'>): number =>
  colours * patchSize[0] * patchSize[1]

type Common = 'vocabularySize' | 'maxPositions' | 'patchValues' | 'tiedEmbeddings' | 'bosId' | 'eosIds'

/** A config with what follows from the rest of it, and with what no encoder has. */
export const encoderConfig = (own: Omit<EncoderConfig, Common>): EncoderConfig => ({
  ...own,
  vocabularySize: own.labels.length,
  maxPositions: tokenCount(own),
  patchValues: patchValues(own),
  tiedEmbeddings: false,
  bosId: null,
  eosIds: [],
})

const unnamedLabel = (number: number) => `LABEL_${number}`
/** Names of classes that nobody has named, as transformers has them. */
export const unnamedLabels = (count: number): string[] => Array.from({ length: count }, (_, i) => unnamedLabel(i))
export const areUnnamed = (labels: readonly string[]): boolean => labels.every((label, i) => label === unnamedLabel(i))

/** What a family of encoders says of itself, in the layout of Hugging Face. */
export interface EncoderTraits {
  /** "model_type" of config.json. */
  name: string
  /** The class of transformers that loads it with a classifier. */
  architecture: string
  /** Classes that have no classifier. */
  headless: readonly string[]
  /** Why other classes of transformers that are saved under this `model_type` are not read. */
  refused: Readonly<Record<string, string>>
  prefixTokens: 1 | 2
}

const count = (max: number) => z.int().min(1).max(max)
const size = z.union([count(2 ** 14), z.tuple([count(2 ** 14), count(2 ** 14)])])

const configSchema = z.looseObject({
  architectures: z.array(z.string()).nullish(),
  hidden_size: count(2 ** 24),
  intermediate_size: count(2 ** 24),
  num_hidden_layers: count(4096),
  num_attention_heads: count(2 ** 16),
  head_dim: count(2 ** 16).nullish(),
  image_size: size.default(224),
  patch_size: size.default(16),
  num_channels: count(64).default(3),
  qkv_bias: z.boolean().default(true),
  hidden_act: z.string().default('gelu'),
  layer_norm_eps: z.number().positive().max(1).default(1e-12),
  num_labels: z
    .int()
    .min(1)
    .max(2 ** 24)
    .nullish(),
  id2label: z.record(z.string(), z.string()).nullish(),
  secateur_layers: z.array(layerSchema).nullish(),
})

/** Reads and checks an encoder's config.json. @throws SecateurError that names the file and the field */
export function readEncoderConfig(
  traits: EncoderTraits,
  source: Record<string, unknown>,
  file: string,
  ragged: boolean,
): EncoderConfig {
  const fields = parseAs(configSchema, source, file)
  const [architecture = traits.architecture] = fields.architectures ?? []
  const plain = architecture.replace(/^Secateur/, '')
  const refusal = traits.refused[plain]
  if (refusal !== undefined) throw badFile(file, 'architectures', `is ${plain}: ${refusal}`)
  if (fields.hidden_act !== 'gelu')
    throw badFile(file, 'hidden_act', `is "${fields.hidden_act}"; only "gelu" is supported`)
  const layers = layersOf(fields, ragged, file)
  const headSize = fields.head_dim ?? fields.hidden_size / fields.num_attention_heads
  if (!Number.isInteger(headSize)) {
    const heads = `${fields.num_attention_heads} heads do not divide hidden_size ${fields.hidden_size}`
    throw badFile(file, 'num_attention_heads', `${heads}, and there is no head_dim`)
  }
  const labels = traits.headless.includes(plain) ? [] : labelsOf(fields, file)
  const config = encoderConfig({
    family: traits.name,
    hiddenSize: fields.hidden_size,
    headSize,
    layers,
    normEpsilon: fields.layer_norm_eps,
    source,
    imageSize: pair(fields.image_size),
    patchSize: pair(fields.patch_size),
    colours: fields.num_channels,
    prefixTokens: traits.prefixTokens,
    queryKeyValueBias: fields.qkv_bias,
    labels,
  })
  if (patchCount(config) === 0)
    throw badFile(file, 'patch_size', `is ${config.patchSize.join(' x ')}, larger than an image of image_size`)
  return config
}

const pair = (value: number | readonly [number, number]): Size => (typeof value === 'number' ? [value, value] : value)

/** Names of the classes in the order of the logits: transformers has two where the config says nothing. */
function labelsOf({ id2label, num_labels: counted }: z.infer<typeof configSchema>, file: string): string[] {
  if (!id2label) return unnamedLabels(counted ?? 2)
  const classes = Object.keys(id2label).length
  return Array.from({ length: classes }, (_, i) => {
    const label = id2label[String(i)]
    if (label === undefined) throw badFile(file, 'id2label', `has ${classes} entries, but none for class ${i}`)
    return label
  })
}

const single = ([height, width]: Size) => (height === width ? height : [height, width])

/** The fields of an encoder's config.json; see `Family.writeConfig`. */
export function writeEncoderConfig(config: EncoderConfig): Record<string, unknown> {
  const { layers, hiddenSize, headSize, labels } = config
  const heads = Math.max(...layers.map((layer) => layer.heads))
  return {
    hidden_size: hiddenSize,
    num_hidden_layers: layers.length,
    num_attention_heads: heads,
    intermediate_size: Math.max(...layers.map((layer) => layer.channels)),
    // transformers 5 reads head_dim though its ViTConfig does not list it; transformers 4 has no size of a head.
    ...(heads * headSize === hiddenSize && !('head_dim' in config.source) ? {} : { head_dim: headSize }),
    // transformers' own field for layers that differ has no place for heads without key/value heads.
    ...(isStock(layers) ? {} : { secateur_layers: raggedFields(layers).secateur_layers }),
    image_size: single(config.imageSize),
    patch_size: single(config.patchSize),
    num_channels: config.colours,
    qkv_bias: config.queryKeyValueBias,
    hidden_act: 'gelu',
    layer_norm_eps: config.normEpsilon,
    ...(labels.length > 0 && {
      id2label: Object.fromEntries(labels.map((label, i) => [String(i), label])),
      label2id: Object.fromEntries(labels.map((label, i) => [label, i])),
    }),
  }
}
