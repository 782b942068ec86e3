import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

interface MadeModel {
  name: string
  /** Fields of config.json beyond the shape that all share. */
  config: Record<string, unknown>
  headSize: number
  tied: boolean
  /** Projections that have biases. */
  biases: readonly string[]
  normalisesHeads: boolean
}

const hidden = 32
const intermediate = 48
const heads = 4
const keyValueHeads = 2
const layers = 3
/** Tokens of the sample's tokenizer. */
const vocabulary = 2048
const attention = ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj', 'self_attn.o_proj']
const feedForward = ['mlp.gate_proj', 'mlp.up_proj', 'mlp.down_proj']

/** Small checkpoints with random weights: one of each shape of decoder that the sample has not. */
export const madeModels: readonly MadeModel[] = [
  {
    name: 'qwen2',
    config: { architectures: ['Qwen2ForCausalLM'], model_type: 'qwen2', use_sliding_window: false, sliding_window: 8 },
    headSize: 8,
    tied: true,
    biases: attention.slice(0, 3),
    normalisesHeads: false,
  },
  {
    name: 'qwen3',
    config: { architectures: ['Qwen3ForCausalLM'], model_type: 'qwen3', attention_bias: false, head_dim: 10 },
    headSize: 10,
    tied: true,
    biases: [],
    normalisesHeads: true,
  },
  {
    name: 'mistral',
    config: { architectures: ['MistralForCausalLM'], model_type: 'mistral', sliding_window: 8 },
    headSize: 8,
    tied: false,
    biases: [],
    normalisesHeads: false,
  },
  {
    name: 'llama3',
    config: {
      architectures: ['LlamaForCausalLM'],
      model_type: 'llama',
      attention_bias: true,
      mlp_bias: true,
      head_dim: 8,
      rope_scaling: {
        rope_type: 'llama3',
        factor: 8,
        low_freq_factor: 1,
        high_freq_factor: 4,
        original_max_position_embeddings: 64,
      },
    },
    headSize: 8,
    tied: false,
    biases: [...attention, ...feedForward],
    normalisesHeads: false,
  },
]

/** Writes a checkpoint, without a tokenizer: the same weights every time. */
export function writeModel(folder: string, model: MadeModel): void {
  mkdirSync(folder)
  const config = {
    ...model.config,
    hidden_size: hidden,
    intermediate_size: intermediate,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: keyValueHeads,
    vocab_size: vocabulary,
    max_position_embeddings: 512,
    hidden_act: 'silu',
    rms_norm_eps: 1e-5,
    rope_theta: 10_000,
    tie_word_embeddings: model.tied,
    bos_token_id: 1,
    eos_token_id: 2,
    torch_dtype: 'float32',
  }
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config, null, 2))
  writeFileSync(join(folder, 'model.safetensors'), safetensors(shapesOf(model)))
}

/** Shapes of the stored tensors by name; a matrix is [features out, features in]. */
function shapesOf({ headSize, tied, biases, normalisesHeads }: MadeModel): Map<string, number[]> {
  const [query, shared] = [heads * headSize, keyValueHeads * headSize]
  const matrices: Record<string, [number, number]> = {
    'self_attn.q_proj': [query, hidden],
    'self_attn.k_proj': [shared, hidden],
    'self_attn.v_proj': [shared, hidden],
    'self_attn.o_proj': [hidden, query],
    'mlp.gate_proj': [intermediate, hidden],
    'mlp.up_proj': [intermediate, hidden],
    'mlp.down_proj': [hidden, intermediate],
  }
  const shapes = new Map<string, number[]>([['model.embed_tokens.weight', [vocabulary, hidden]]])
  if (!tied) shapes.set('lm_head.weight', [vocabulary, hidden])
  for (let layer = 0; layer < layers; layer++) {
    const set = (name: string, shape: number[]) => shapes.set(`model.layers.${layer}.${name}`, shape)
    for (const [name, shape] of Object.entries(matrices)) {
      set(`${name}.weight`, shape)
      if (biases.includes(name)) set(`${name}.bias`, [shape[0]])
    }
    for (const name of ['input_layernorm', 'post_attention_layernorm']) set(`${name}.weight`, [hidden])
    if (normalisesHeads) for (const name of ['q_norm', 'k_norm']) set(`self_attn.${name}.weight`, [headSize])
  }
  return shapes.set('model.norm.weight', [hidden])
}

function safetensors(shapes: Map<string, number[]>): Buffer {
  const random = uniform(7)
  const header: Record<string, unknown> = {}
  const parts: Float32Array[] = []
  let offset = 0
  for (const [name, shape] of shapes) {
    const size = shape.reduce((product, length) => product * length, 1)
    const isNorm = name.includes('norm')
    const scale = shape.length === 1 ? 0.2 : 1.5 / Math.sqrt(shape[1]!)
    parts.push(Float32Array.from({ length: size }, () => (isNorm ? 1 : 0) + scale * (2 * random() - 1)))
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, (offset += 4 * size)] }
  }
  const text = Buffer.from(JSON.stringify({ __metadata__: { format: 'pt' }, ...header }))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  return Buffer.concat([length, text, ...parts.map((part) => Buffer.from(part.buffer))])
}

/** Numbers from 0 to 1, of Marsaglia's xorshift with 32 bits: the same on every computer. */
function uniform(seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
