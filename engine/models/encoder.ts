import {
  type EncoderConfig,
  type EncoderTraits,
  readEncoderConfig,
  tokenCount,
  writeEncoderConfig,
} from './encoder-config.ts'
import { classToken, embedPatches, encoderBlock, encoderPass } from './encoder-forward.ts'
import type { EncoderFamily, GroupMember, Kind, LinearName, LinearSpec, ShrunkLayer, TensorSpec } from './family.ts'
import { featuresOf, kept } from './kept.ts'
import type { LayerShape } from './model-config.ts'

/** What encoders of ViT's kind have in common, however their checkpoints are laid out. */
export const encoderParts = {
  task: 'image-classification',
  gguf: null,
  headCounts: 'any',
  // Linear layers that read groups have biases in any case.
  withBiases: (config) => config,
  linears: encoderLinears,
  groups: encoderGroups,
  shrinkLayer: shrinkEncoderLayer,
  makePass: encoderPass,
  embed: embedPatches,
  block: encoderBlock,
  classToken,
} as const satisfies Partial<EncoderFamily<EncoderConfig>>

/** The family of encoders that some traits describe, in the layout of Hugging Face. */
export function encoder(traits: EncoderTraits): EncoderFamily<EncoderConfig> {
  return {
    ...encoderParts,
    name: traits.name,
    architecture: traits.architecture,
    readConfig: (source, file, ragged) => readEncoderConfig(traits, source, file, ragged),
    writeConfig: writeEncoderConfig,
    tensors: (config) => huggingFaceTensors(traits.name, config),
    positionFilter: 'bicubic',
    classifier: 'classifier',
    blocks: `${traits.name}.layers`,
    modules: peftModules,
    modulePath: (path) => modulePath(traits.name, path),
    storedName: (name) => storedName(traits.name, name),
    isUnused: (name) => /(^|\.)(pooler\.dense\.(weight|bias)|embeddings\.mask_token)$|^decoder\./.test(name),
  }
}

/** Modules within a block, as checkpoints of both versions of transformers have them. */
const storedModules = {
  'attention.attention.query': ['q'],
  'attention.attention.key': ['k'],
  'attention.attention.value': ['v'],
  'attention.output.dense': ['o'],
  'intermediate.dense': ['fc1'],
  'output.dense': ['fc2'],
} as const satisfies Record<string, readonly LinearName[]>

/** The same as transformers 5 has them in memory, which is what PEFT goes by. */
const peftModules = {
  'attention.q_proj': ['q'],
  'attention.k_proj': ['k'],
  'attention.v_proj': ['v'],
  'attention.o_proj': ['o'],
  'mlp.fc1': ['fc1'],
  'mlp.fc2': ['fc2'],
} as const satisfies Record<string, readonly LinearName[]>

/** What transformers 5 calls things, and what checkpoints call them. */
const spellings: readonly [transformers5: string, stored: string][] = [
  ['layers.', 'encoder.layer.'],
  ['.attention.q_proj.', '.attention.attention.query.'],
  ['.attention.k_proj.', '.attention.attention.key.'],
  ['.attention.v_proj.', '.attention.attention.value.'],
  ['.attention.o_proj.', '.attention.output.dense.'],
  ['.mlp.fc1.', '.intermediate.dense.'],
  ['.mlp.fc2.', '.output.dense.'],
]

/** The name of a module as transformers 5 spells it. */
function modulePath(prefix: string, path: string): string {
  if (!path.startsWith(`${prefix}.`)) return path
  return spellings.reduce((text, [name, stored]) => text.replace(stored, name), `${path}.`).slice(0, -1)
}

/** The name of a stored tensor as this family spells it: checkpoints of bare encoders lack the prefix. */
function storedName(prefix: string, name: string): string {
  const path = name.startsWith(`${prefix}.`) ? name.slice(prefix.length + 1) : name
  if (!/^(embeddings|encoder|layers|layernorm|pooler)\./.test(path)) return name
  const inBlocks = /^(layers|encoder)\./.test(path)
  const renamed = inBlocks ? spellings.reduce((text, [own, stored]) => text.replace(own, stored), path) : path
  return `${prefix}.${renamed}`
}

/** The linear layers of an encoder's block. */
export function encoderLinears(
  { hiddenSize, headSize, queryKeyValueBias: bias }: EncoderConfig,
  shape: LayerShape,
): LinearSpec[] {
  const width = shape.heads * headSize
  const { channels } = shape
  return [
    { name: 'q', outputs: width, inputs: hiddenSize, bias, reads: 'q' },
    { name: 'k', outputs: width, inputs: hiddenSize, bias, reads: 'q' },
    { name: 'v', outputs: width, inputs: hiddenSize, bias, reads: 'q' },
    { name: 'o', outputs: hiddenSize, inputs: width, bias: true, reads: 'o' },
    { name: 'fc1', outputs: channels, inputs: hiddenSize, bias: true, reads: 'fc1' },
    { name: 'fc2', outputs: hiddenSize, inputs: channels, bias: true, reads: 'fc2' },
  ]
}

function encoderGroups(_: EncoderConfig, shape: LayerShape) {
  const heads: GroupMember[] = [
    { linear: 'q', along: 'rows' },
    { linear: 'k', along: 'rows' },
    { linear: 'v', along: 'rows' },
    { linear: 'o', along: 'columns' },
  ]
  const channels: GroupMember[] = [
    { linear: 'fc1', along: 'rows' },
    { linear: 'fc2', along: 'columns' },
  ]
  return { heads: { count: shape.heads, members: heads }, channels: { count: shape.channels, members: channels } }
}

function shrinkEncoderLayer({ headSize }: EncoderConfig, _: LayerShape, masks: Record<Kind, Uint8Array>): ShrunkLayer {
  const heads = kept(masks.heads)
  const channels = kept(masks.channels)
  const features = featuresOf(heads, headSize)
  return {
    shape: { heads: heads.length, keyValueHeads: heads.length, channels: channels.length },
    kept: {
      q: { rows: features, columns: null },
      k: { rows: features, columns: null },
      v: { rows: features, columns: null },
      o: { rows: null, columns: features },
      fc1: { rows: channels, columns: null },
      fc2: { rows: null, columns: channels },
    },
  }
}

/** A vector of the model: a norm's factors, a bias that belongs to no block's linear layer, a learned token. */
const vectorOf = (
  name: string,
  shape: number[],
  layer: number | null,
  norm: string,
  starts?: 'zeros' | 'normal',
): TensorSpec => ({ name, shape, role: { part: 'norm', layer, norm, offset: 0, ...(starts && { starts }) } })

/** A learned token [1, 1, hidden], or learned positions [1, length, hidden]. */
export const learnedOf = (name: string, length: number, hidden: number, norm: string): TensorSpec =>
  vectorOf(name, [1, length, hidden], null, norm, 'normal')

/** The linear map of a patch, stored as a convolution, and its bias. */
export const patchesOf = (module: string, { hiddenSize, colours, patchSize }: EncoderConfig): TensorSpec[] => [
  {
    name: `${module}.weight`,
    shape: [hiddenSize, colours, ...patchSize],
    role: { part: 'embedding', layer: null },
  },
  vectorOf(`${module}.bias`, [hiddenSize], null, 'patchBias', 'zeros'),
]

/** The classifier's weight and bias; nothing where there are no classes. */
export const classifierOf = (module: string, { labels, hiddenSize }: EncoderConfig): TensorSpec[] =>
  labels.length === 0
    ? []
    : [
        { name: `${module}.weight`, shape: [labels.length, hiddenSize], role: { part: 'head', layer: null } },
        vectorOf(`${module}.bias`, [labels.length], null, 'headBias', 'zeros'),
      ]

/** Factors and bias of a LayerNorm. */
export const layerNormOf = (module: string, size: number, layer: number | null, norm: string): TensorSpec[] => [
  vectorOf(`${module}.weight`, [size], layer, norm),
  vectorOf(`${module}.bias`, [size], layer, `${norm}Bias`, 'zeros'),
]

/** Weight and bias of a block's linear layers that are stored as one module. */
export function moduleOf(
  module: string,
  layer: number,
  names: readonly LinearName[],
  specs: readonly LinearSpec[],
): TensorSpec[] {
  const stored = names.map((name) => specs.find((spec) => spec.name === name)!)
  const outputs = stored.reduce((sum, spec) => sum + spec.outputs, 0)
  const weight: TensorSpec = {
    name: `${module}.weight`,
    shape: [outputs, stored[0]!.inputs],
    role: { part: 'weight', layer, linears: names },
  }
  if (!stored[0]!.bias) return [weight]
  return [weight, { name: `${module}.bias`, shape: [outputs], role: { part: 'bias', layer, linears: names } }]
}

function huggingFaceTensors(prefix: string, config: EncoderConfig): TensorSpec[] {
  const { hiddenSize: hidden, prefixTokens } = config
  const embeddings = `${prefix}.embeddings`
  const distillation =
    prefixTokens === 2 ? [learnedOf(`${embeddings}.distillation_token`, 1, hidden, 'distillationToken')] : []
  return [
    learnedOf(`${embeddings}.cls_token`, 1, hidden, 'classToken'),
    ...distillation,
    learnedOf(`${embeddings}.position_embeddings`, tokenCount(config), hidden, 'positions'),
    ...patchesOf(`${embeddings}.patch_embeddings.projection`, config),
    ...config.layers.flatMap((shape, layer) => {
      const block = `${prefix}.encoder.layer.${layer}`
      const specs = encoderLinears(config, shape)
      const modules = Object.entries(storedModules).map(([module, names]) =>
        moduleOf(`${block}.${module}`, layer, names, specs),
      )
      return [
        ...layerNormOf(`${block}.layernorm_before`, hidden, layer, 'attention'),
        ...modules.slice(0, 4).flat(),
        ...layerNormOf(`${block}.layernorm_after`, hidden, layer, 'feedForward'),
        ...modules.slice(4).flat(),
      ]
    }),
    ...layerNormOf(`${prefix}.layernorm`, hidden, null, 'final'),
    ...classifierOf('classifier', config),
  ]
}
