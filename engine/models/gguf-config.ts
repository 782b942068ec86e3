import type { KeyReader } from '../checkpoint/gguf/key-reader.ts'
import { SecateurError } from '../shared/errors.ts'
import { raggedPrefix } from './decoder-layers.ts'
import type { Family } from './family.ts'
import { ropeScalingOf, type ReadFactors } from './gguf-rope.ts'
import type { CommonFields } from './gguf-traits.ts'
import type { ModelConfig } from './model-config.ts'
import { families, parseConfig } from './registry.ts'

const width = { least: 1, most: 2 ** 24 }
const heads = { least: 1, most: 2 ** 16 }
const noToken = 0xffffffff

/** What is known of the tensors of a GGUF file before they are read. */
export interface GgufContents {
  shapeOf(name: string): readonly number[] | undefined
  /** The numbers of a small tensor. */
  factors: ReadFactors
}

/**
 * The config of a model that a GGUF file describes, as its config.json would have it.
 *
 * @throws SecateurError naming the key that is missing, wrong or not supported
 */
export function ggufConfig(keys: KeyReader, contents: GgufContents): ModelConfig {
  const architecture = keys.needed('general.architecture', keys.text('general.architecture'))
  const type = keys.text('general.type') ?? 'model'
  if (type !== 'model') throw unsupported(keys, 'general.type', `is "${type}"; models are read`)
  const family = familyOf(keys, architecture)
  refuseUnknown(keys, architecture)
  const common = commonFields(keys, architecture, contents)
  const ragged = Array.isArray(common['secateur_layers'])
  const source = {
    architectures: [`${ragged ? 'Secateur' : ''}${family.architecture}`],
    model_type: ragged ? raggedPrefix + family.name : family.name,
    ...common,
    ...family.gguf!.fields?.(keys, architecture, common),
  }
  return parseConfig(source, keys.path)
}

/** Several families may share an architecture: the first that claims the file. */
function familyOf(keys: KeyReader, architecture: string): Family {
  const found = families.filter(({ gguf }) => gguf && [gguf.architecture, gguf.perLayer].includes(architecture))
  const family = found.find(({ gguf }) => gguf!.claims?.(keys, architecture)) ?? found[0]
  if (family) return family
  const names = new Set(families.flatMap(({ gguf }) => (gguf ? [gguf.architecture, gguf.perLayer ?? []].flat() : [])))
  throw unsupported(keys, 'general.architecture', `"${architecture}" is not read; read are ${[...names].join(', ')}`)
}

const unsupported = (keys: KeyReader, field: string, message: string) =>
  new SecateurError('unsupported', message, { file: keys.path, field })

/** Keys that change what is computed, with the value at which they do not. */
const changing: Readonly<Record<string, number>> = {
  expert_count: 0,
  'attention.scale': 0,
  'attention.clamp_kqv': 0,
  'attention.max_alibi_bias': 0,
  embedding_scale: 1,
  residual_scale: 1,
  logit_scale: 1,
}

function refuseUnknown(keys: KeyReader, architecture: string): void {
  for (const [name, harmless] of Object.entries(changing)) {
    const field = `${architecture}.${name}`
    const value = keys.number(field)
    if (value === undefined || value === 0 || value === harmless) continue
    const what = name === 'expert_count' ? ': mixtures of experts are not supported' : ', which is not supported'
    throw unsupported(keys, field, `is ${value}${what}`)
  }
}

function commonFields(keys: KeyReader, architecture: string, contents: GgufContents): CommonFields {
  const at = (name: string) => `${architecture}.${name}`
  const integer = (name: string, range: { least: number; most: number }) =>
    keys.needed(at(name), keys.integer(at(name), range))
  const count = integer('block_count', { least: 1, most: 4096 })
  const each = (name: string, range: { least: number; most: number }) => keys.integerOfEach(at(name), count, range)
  const queryHeads = keys.needed(at('attention.head_count'), each('attention.head_count', heads))
  const keyValueHeads = each('attention.head_count_kv', heads) ?? queryHeads
  const channels = keys.needed(at('feed_forward_length'), each('feed_forward_length', width))
  const hiddenSize = integer('embedding_length', width)
  const headSize = headSizeOf(keys, architecture, hiddenSize / queryHeads[0]!)
  const differ = [queryHeads, keyValueHeads, channels].some((values) => values.some((value) => value !== values[0]))
  const vocabulary = contents.shapeOf('token_embd.weight')?.[0]
  return {
    vocab_size: vocabulary ?? integer('vocab_size', width),
    hidden_size: hiddenSize,
    num_hidden_layers: count,
    num_attention_heads: largest(queryHeads),
    num_key_value_heads: largest(keyValueHeads),
    head_dim: headSize,
    intermediate_size: largest(channels),
    ...(differ && {
      secateur_layers: queryHeads.map((_, layer) => ({
        heads: queryHeads[layer],
        key_value_heads: keyValueHeads[layer],
        channels: channels[layer],
      })),
    }),
    max_position_embeddings: integer('context_length', { least: 1, most: 2 ** 31 }),
    rms_norm_eps: shortest(keys.needed(at(epsilon), keys.number(at(epsilon)))),
    rope_theta: shortest(keys.number(at('rope.freq_base')) ?? 10_000),
    rope_scaling: ropeScalingOf(keys, architecture, headSize, contents.factors),
    tie_word_embeddings: contents.shapeOf('output.weight') === undefined,
    ...(contents.shapeOf('blk.0.attn_output.bias') && { attention_bias: true }),
    ...(contents.shapeOf('blk.0.ffn_down.bias') && { mlp_bias: true }),
    bos_token_id: tokenOf(keys, 'bos'),
    eos_token_id: stopsOf(keys),
  }
}

const largest = (values: readonly number[]) => values.reduce((most, value) => Math.max(most, value))

const epsilon = 'attention.layer_norm_rms_epsilon'

/** Numbers of a head, all of which must be rotated. */
function headSizeOf(keys: KeyReader, architecture: string, assumed: number): number {
  const size = keys.integer(`${architecture}.attention.key_length`, heads) ?? assumed
  for (const name of ['attention.value_length', 'rope.dimension_count']) {
    const field = `${architecture}.${name}`
    const other = keys.integer(field) ?? size
    if (other !== size) throw unsupported(keys, field, `is ${other}; only ${size}, the size of a head, is supported`)
  }
  return size
}

function tokenOf(keys: KeyReader, name: string): number | null {
  const id = keys.integer(`tokenizer.ggml.${name}_token_id`)
  return id === undefined || id === noToken ? null : id
}

/** Ids at which generation stops: of the text, and in conversations of a turn. */
function stopsOf(keys: KeyReader): number | number[] | null {
  const ids = [...new Set(['eos', 'eot', 'eom'].map((name) => tokenOf(keys, name)).filter((id) => id !== null))]
  return ids.length > 1 ? ids : (ids[0] ?? null)
}

/** The shortest decimal number that a float32 stands for: 1e-5, and not 9.999999747378752e-6. */
export function shortest(value: number): number {
  for (let digits = 1; digits <= 9; digits++) {
    const candidate = Number(value.toPrecision(digits))
    if (Math.fround(candidate) === Math.fround(value)) return candidate
  }
  return value
}
