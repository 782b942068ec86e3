import { z } from 'zod'
import { badFile } from '../shared/errors.ts'
import { parseAs } from '../shared/files.ts'
import { isStock, layerSchema, layersOf, raggedFields } from './decoder-layers.ts'
import { classifierOf, encoderLinears, encoderParts, layerNormOf, learnedOf, moduleOf, patchesOf } from './encoder.ts'
import { areUnnamed, type EncoderConfig, encoderConfig, tokenCount, unnamedLabels } from './encoder-config.ts'
import type { EncoderFamily, LinearName, TensorSpec } from './family.ts'

const modules = {
  'attn.qkv': ['q', 'k', 'v'],
  'attn.proj': ['o'],
  'mlp.fc1': ['fc1'],
  'mlp.fc2': ['fc2'],
} as const satisfies Record<string, readonly LinearName[]>

/** `vit_*` and `deit_*` of timm, whose config.json names an architecture and what departs from it. */
export const timm: EncoderFamily<EncoderConfig> = {
  ...encoderParts,
  name: 'timm_wrapper',
  architecture: 'TimmWrapperForImageClassification',
  headCounts: 'fill-hidden',
  readConfig,
  writeConfig,
  tensors,
  positionFilter: 'antialiased',
  classifier: 'head',
  blocks: 'blocks',
  modules,
  // As a module of transformers' wrapper.
  modulePath: (path) => path.replace(/^timm_model\./, ''),
}

/** Hidden size, layers and heads of timm's architectures, by the size in their names. */
const sizes: Record<string, { embed_dim: number; depth: number; num_heads: number }> = {
  tiny: { embed_dim: 192, depth: 12, num_heads: 3 },
  small: { embed_dim: 384, depth: 12, num_heads: 6 },
  base: { embed_dim: 768, depth: 12, num_heads: 12 },
  large: { embed_dim: 1024, depth: 24, num_heads: 16 },
  huge: { embed_dim: 1280, depth: 32, num_heads: 16 },
}

const count = (max: number) => z.int().min(1).max(max)
const size = z.union([count(2 ** 14), z.tuple([count(2 ** 14), count(2 ** 14)])])

const argumentsSchema = z.looseObject({
  img_size: size.optional(),
  patch_size: size.optional(),
  in_chans: count(64).default(3),
  embed_dim: count(2 ** 20).optional(),
  depth: count(4096).optional(),
  num_heads: count(2 ** 16).optional(),
  mlp_ratio: z.number().positive().max(1024).default(4),
  qkv_bias: z.boolean().default(true),
  global_pool: z.literal('token').default('token'),
})

/** Arguments that change nothing of what the model computes once it is trained. */
const harmless = /^(num_classes|.*drop.*|weight_init|fix_init|dynamic_img_size|strict_img_size)$/

const schema = z.looseObject({
  architecture: z.string(),
  num_classes: z
    .int()
    .min(0)
    .max(2 ** 24),
  global_pool: z.literal('token').default('token'),
  label_names: z.array(z.string()).optional(),
  model_args: argumentsSchema.default({ in_chans: 3, mlp_ratio: 4, qkv_bias: true, global_pool: 'token' }),
  head_dim: count(2 ** 16).optional(),
  secateur_layers: z.array(layerSchema).nullish(),
})

function readConfig(source: Record<string, unknown>, file: string, ragged: boolean): EncoderConfig {
  const fields = parseAs(schema, source, file)
  const { architecture, model_args: own } = fields
  const named = /^(?:vit|deit)_([a-z]+)_patch(\d+)_(\d+)/.exec(architecture)
  const { embed_dim: hidden, depth, num_heads: heads } = { ...sizes[named?.[1] ?? ''], ...own }
  const patch = own.patch_size ?? (named && Number(named[2]))
  const image = own.img_size ?? (named && Number(named[3]))
  if (!hidden || !depth || !heads || !patch || !image) {
    const known = Object.keys(sizes).join(', ')
    throw badFile(file, 'architecture', `"${architecture}" is not known: supported are vit_ and deit_ (${known})`)
  }
  const other = Object.keys(own).find((name) => !(name in argumentsSchema.shape) && !harmless.test(name))
  if (other !== undefined) throw badFile(file, `model_args.${other}`, 'is not supported')
  const headSize = fields.head_dim ?? hidden / heads
  if (!Number.isInteger(headSize))
    throw badFile(file, 'model_args.num_heads', `${heads} heads do not divide embed_dim ${hidden}`)
  const labels = labelsOf(fields, file)
  const shapes = {
    num_hidden_layers: depth,
    num_attention_heads: heads,
    intermediate_size: Math.trunc(hidden * own.mlp_ratio),
    secateur_layers: fields.secateur_layers,
  }
  return encoderConfig({
    family: 'timm_wrapper',
    hiddenSize: hidden,
    headSize,
    layers: layersOf(shapes, ragged, file),
    normEpsilon: 1e-6,
    source,
    imageSize: typeof image === 'number' ? [image, image] : image,
    patchSize: typeof patch === 'number' ? [patch, patch] : patch,
    colours: own.in_chans,
    prefixTokens: 1,
    queryKeyValueBias: own.qkv_bias,
    labels,
  })
}

function labelsOf({ label_names: names, num_classes: classes }: z.infer<typeof schema>, file: string): string[] {
  if (!names) return unnamedLabels(classes)
  if (names.length !== classes) throw badFile(file, 'label_names', `has ${names.length} names for ${classes} classes`)
  return names
}

function writeConfig(config: EncoderConfig): Record<string, unknown> {
  const { layers, hiddenSize, headSize, labels, source } = config
  const heads = Math.max(...layers.map((layer) => layer.heads))
  const channels = Math.max(...layers.map((layer) => layer.channels))
  const { model_args: given, pretrained_cfg: pretrained } = source as Record<
    string,
    Record<string, unknown> | undefined
  >
  return {
    ...(pretrained && {
      pretrained_cfg: {
        ...pretrained,
        input_size: [config.colours, ...config.imageSize],
        num_classes: labels.length,
      },
    }),
    num_classes: labels.length,
    ...(areUnnamed(labels) ? {} : { label_names: labels }),
    model_args: {
      ...given,
      img_size: [...config.imageSize],
      patch_size: config.patchSize[0] === config.patchSize[1] ? config.patchSize[0] : [...config.patchSize],
      in_chans: config.colours,
      embed_dim: hiddenSize,
      depth: layers.length,
      num_heads: heads,
      mlp_ratio: ratioOf(channels, hiddenSize),
      qkv_bias: config.queryKeyValueBias,
      num_classes: labels.length,
    },
    ...(heads * headSize === hiddenSize ? {} : { head_dim: headSize }),
    ...(isStock(layers) ? {} : { secateur_layers: raggedFields(layers).secateur_layers }),
  }
}

/** A ratio of which timm makes exactly so many channels: it cuts hidden size times ratio to an integer. */
function ratioOf(channels: number, hidden: number): number {
  const ratio = channels / hidden
  return Math.trunc(hidden * ratio) === channels ? ratio : (channels + 0.5) / hidden
}

function tensors(config: EncoderConfig): TensorSpec[] {
  const { hiddenSize: hidden } = config
  return [
    learnedOf('cls_token', 1, hidden, 'classToken'),
    learnedOf('pos_embed', tokenCount(config), hidden, 'positions'),
    ...patchesOf('patch_embed.proj', config),
    ...config.layers.flatMap((shape, layer) => {
      const block = `blocks.${layer}`
      const specs = encoderLinears(config, shape)
      const stored = Object.entries(modules).map(([module, names]) =>
        moduleOf(`${block}.${module}`, layer, names, specs),
      )
      return [
        ...layerNormOf(`${block}.norm1`, hidden, layer, 'attention'),
        ...stored.slice(0, 2).flat(),
        ...layerNormOf(`${block}.norm2`, hidden, layer, 'feedForward'),
        ...stored.slice(2).flat(),
      ]
    }),
    ...layerNormOf('norm', hidden, null, 'final'),
    ...classifierOf('head', config),
  ]
}
