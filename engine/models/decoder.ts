import { type DecoderConfig, type DecoderTraits, readDecoderConfig, writeDecoderConfig } from './decoder-config.ts'
import { decoderBlock, decoderPass, decoderStep, embedTokens } from './decoder-forward.ts'
import { shrinkDecoderLayer } from './decoder-shrink.ts'
import type { DecoderFamily, GroupMember, HeadGroups, LinearName, LinearSpec, TensorSpec } from './family.ts'
import type { LayerShape } from './model-config.ts'

/** The modules of most decoders: one for each linear layer. */
export const separateModules = {
  'self_attn.q_proj': ['q'],
  'self_attn.k_proj': ['k'],
  'self_attn.v_proj': ['v'],
  'self_attn.o_proj': ['o'],
  'mlp.gate_proj': ['gate'],
  'mlp.up_proj': ['up'],
  'mlp.down_proj': ['down'],
} as const satisfies Record<string, readonly LinearName[]>

/** The family of decoders that some traits describe: all of Llama's kind share one block. */
export function decoder(traits: DecoderTraits): DecoderFamily<DecoderConfig> {
  const modules = traits.modules ?? separateModules
  return {
    name: traits.name,
    architecture: traits.architecture,
    task: 'causal-lm',
    gguf: traits.gguf ?? null,
    headCounts: traits.headCounts ?? 'any',
    readConfig: (source, file, ragged) => readDecoderConfig(traits, source, file, ragged),
    writeConfig: (config) => writeDecoderConfig(traits, config),
    withBiases: (config) =>
      traits.hasBiasFields ? { ...config, bias: { queryKeyValue: true, output: true, feedForward: true } } : null,
    blocks: 'model.layers',
    modules,
    tensors: (config) => decoderTensors(config, modules),
    linears: decoderLinears,
    groups: decoderGroups,
    shrinkLayer: shrinkDecoderLayer,
    makePass: decoderPass,
    makeStep: decoderStep,
    embed: embedTokens,
    block: decoderBlock,
    head: ({ norms, config }) => ({ norm: norms['final']!, epsilon: config.normEpsilon }),
  }
}

function decoderLinears({ hiddenSize, headSize, bias }: DecoderConfig, shape: LayerShape): LinearSpec[] {
  const queries = shape.heads * headSize
  const keys = shape.keyValueHeads * headSize
  const { channels } = shape
  return [
    { name: 'q', outputs: queries, inputs: hiddenSize, bias: bias.queryKeyValue, reads: 'q' },
    { name: 'k', outputs: keys, inputs: hiddenSize, bias: bias.queryKeyValue, reads: 'q' },
    { name: 'v', outputs: keys, inputs: hiddenSize, bias: bias.queryKeyValue, reads: 'q' },
    { name: 'o', outputs: hiddenSize, inputs: queries, bias: bias.output, reads: 'o' },
    { name: 'gate', outputs: channels, inputs: hiddenSize, bias: bias.feedForward, reads: 'gate' },
    { name: 'up', outputs: channels, inputs: hiddenSize, bias: bias.feedForward, reads: 'gate' },
    { name: 'down', outputs: hiddenSize, inputs: channels, bias: bias.feedForward, reads: 'down' },
  ]
}

/** Keys and values stay where query heads leave on their own, unless each query head has its own. */
function decoderGroups(_: DecoderConfig, shape: LayerShape, headGroups: HeadGroups) {
  const keysAndValues: GroupMember[] =
    headGroups === 'key-value-heads' || shape.heads === shape.keyValueHeads
      ? [
          { linear: 'k', along: 'rows' },
          { linear: 'v', along: 'rows' },
        ]
      : []
  const heads: GroupMember[] = [{ linear: 'q', along: 'rows' }, ...keysAndValues, { linear: 'o', along: 'columns' }]
  const channels: GroupMember[] = [
    { linear: 'gate', along: 'rows' },
    { linear: 'up', along: 'rows' },
    { linear: 'down', along: 'columns' },
  ]
  return {
    heads: { count: headGroups === 'query-heads' ? shape.heads : shape.keyValueHeads, members: heads },
    channels: { count: shape.channels, members: channels },
  }
}

function decoderTensors(config: DecoderConfig, modules: Readonly<Record<string, readonly LinearName[]>>): TensorSpec[] {
  const { hiddenSize, headSize, vocabularySize, branchNorms, queryKeyNorm, normOffset: offset } = config
  const tensors: TensorSpec[] = []
  const norm = (layer: number | null, name: string, module: string, size = hiddenSize) =>
    tensors.push({ name: `${module}.weight`, shape: [size], role: { part: 'norm', layer, norm: name, offset } })
  const table = (part: 'embedding' | 'head', module: string) =>
    tensors.push({ name: `${module}.weight`, shape: [vocabularySize, hiddenSize], role: { part, layer: null } })

  table('embedding', 'model.embed_tokens')
  for (const [layer, shape] of config.layers.entries()) {
    const block = `model.layers.${layer}`
    const linears = new Map(decoderLinears(config, shape).map((linear) => [linear.name, linear]))
    norm(layer, 'attention', `${block}.input_layernorm`)
    for (const [module, names] of Object.entries(modules)) {
      if (names.includes('gate')) {
        if (branchNorms) norm(layer, 'afterAttention', `${block}.post_attention_layernorm`)
        norm(layer, 'feedForward', `${block}.${branchNorms ? 'pre_feedforward' : 'post_attention'}_layernorm`)
      }
      const stored = names.map((name) => linears.get(name)!)
      const outputs = stored.reduce((sum, linear) => sum + linear.outputs, 0)
      const role = { layer, linears: names } as const
      const { inputs, bias } = stored[0]!
      tensors.push({ name: `${block}.${module}.weight`, shape: [outputs, inputs], role: { part: 'weight', ...role } })
      if (bias) tensors.push({ name: `${block}.${module}.bias`, shape: [outputs], role: { part: 'bias', ...role } })
      if (queryKeyNorm && names.includes('q')) norm(layer, 'query', `${block}.self_attn.q_norm`, headSize)
      if (queryKeyNorm && names.includes('k')) norm(layer, 'key', `${block}.self_attn.k_norm`, headSize)
    }
    if (branchNorms) norm(layer, 'afterFeedForward', `${block}.post_feedforward_layernorm`)
  }
  norm(null, 'final', 'model.norm')
  if (!config.tiedEmbeddings) table('head', 'lm_head')
  return tensors
}
