import { badFile } from '../shared/errors.ts'
import type { DecoderConfig } from './decoder-config.ts'
import type { TensorRole, TensorSpec } from './family.ts'
import type { GgufTraits } from './gguf-traits.ts'
import type { ModelConfig } from './model-config.ts'
import { families, familyOf } from './registry.ts'

/** A tensor of a GGUF file, and the checkpoint's tensor that it is. */
export interface GgufTensor {
  /** Its name in GGUF. Its shape is `spec.shape`, which GGUF writes in reverse. */
  name: string
  spec: TensorSpec
  /** Rows of a head where each head's rows are in the order that `rowsToGguf` makes; null where rows are as they are. */
  headRows: number | null
  /** GGUF has (w + added) * factor for every number w: norms of 1 + w are stored with their 1. */
  added: 0 | 1
  /** Not 1 in norms of queries alone, where attention scores are multiplied with what llama.cpp does not take. */
  factor: number
}

const linearNames: Readonly<Record<string, string>> = {
  q: 'attn_q',
  k: 'attn_k',
  v: 'attn_v',
  o: 'attn_output',
  gate: 'ffn_gate',
  up: 'ffn_up',
  down: 'ffn_down',
}
const normNames: Readonly<Record<string, string>> = {
  attention: 'attn_norm',
  feedForward: 'ffn_norm',
  query: 'attn_q_norm',
  key: 'attn_k_norm',
  afterAttention: 'post_attention_norm',
  afterFeedForward: 'post_ffw_norm',
  final: 'output_norm',
}

/** Factors of the rotary frequencies [headSize / 2], where they are scaled as in Llama 3; every number divides one. */
export const ropeFactorsName = 'rope_freqs.weight'

/**
 * How a family is said in GGUF.
 *
 * @throws SecateurError of a family that llama.cpp has no architecture for; `file` is for the message
 */
export function ggufTraitsOf(config: Pick<ModelConfig, 'family'>, file: string): GgufTraits {
  const { gguf } = familyOf(config)
  if (gguf) return gguf
  const others = families.filter((family) => family.gguf).map(({ name }) => name)
  throw badFile(file, 'model_type', `is "${config.family}", which GGUF cannot hold; it can hold ${others.join(', ')}`)
}

/** Every tensor of a checkpoint with its name and form in GGUF, in the order in which a model reads them. */
export function ggufTensors(config: ModelConfig, file: string): GgufTensor[] {
  const traits = ggufTraitsOf(config, file)
  const scaleFactor = attentionFactor(config, traits)
  return familyOf(config)
    .tensors(config)
    .map((spec): GgufTensor => {
      const { role } = spec
      const turned =
        traits.neighbours && 'linears' in role && role.linears.every((name) => name === 'q' || name === 'k')
      return {
        name: nameOf(role, traits),
        spec,
        headRows: turned ? config.headSize : null,
        added: role.part === 'norm' ? role.offset : 0,
        factor: role.part === 'norm' && role.norm === 'query' ? scaleFactor : 1,
      }
    })
}

/** What scores are multiplied with in the model, as a part of what llama.cpp multiplies them with. */
function attentionFactor(config: ModelConfig, { attentionScale }: GgufTraits): number {
  const { attentionScale: wanted } = config as DecoderConfig
  return attentionScale ? wanted / attentionScale(config) : 1
}

function nameOf(role: TensorRole, { fused }: GgufTraits): string {
  switch (role.part) {
    case 'embedding':
      return 'token_embd.weight'
    case 'head':
      return 'output.weight'
    case 'norm': {
      const name = `${known(normNames[role.norm], role.norm)}.weight`
      return role.layer === null ? name : `blk.${role.layer}.${name}`
    }
    default: {
      const joined = role.linears.join('+')
      return `blk.${role.layer}.${known(fused?.[joined] ?? linearNames[joined], joined)}.${role.part}`
    }
  }
}

function known(name: string | undefined, part: string): string {
  if (name === undefined) throw new RangeError(`GGUF has no name for "${part}"`)
  return name
}

const neighbour = (row: number, headRows: number) => (row % 2) * (headRows / 2) + Math.floor(row / 2)

/**
 * Rows of a checkpoint's queries or keys as GGUF has them: within each head, row i of the first half, then row i of the
 * second half, for every i.
 *
 * @param bytes all rows, whatever their type; a row's numbers stay together
 * @param rows number of rows: heads * headRows
 */
export const rowsToGguf = (bytes: Uint8Array, rows: number, headRows: number): Uint8Array<ArrayBuffer> =>
  reordered(bytes, rows, headRows, (row) => neighbour(row, headRows))

/**
 * The same as a list: the row that comes to each place.
 *
 * @param rows the rows that are put in order, -1 among them for rows of zeros; null: all of them, as they are
 */
export const neighbourRows = (rows: Int32Array | null, count: number, headRows: number): Int32Array =>
  Int32Array.from({ length: count }, (_, row) => {
    const within = row % headRows
    const source = row - within + neighbour(within, headRows)
    return rows ? rows[source]! : source
  })

/** The other way: rows of GGUF as a checkpoint has them. */
export const rowsFromGguf = (bytes: Uint8Array, rows: number, headRows: number): Uint8Array<ArrayBuffer> =>
  reordered(bytes, rows, headRows, (row) => (row % (headRows / 2)) * 2 + Math.floor(row / (headRows / 2)))

/** @param from the row within a head that comes to a place within the head */
function reordered(bytes: Uint8Array, rows: number, headRows: number, from: (row: number) => number) {
  if (rows % headRows !== 0 || headRows % 2 !== 0 || bytes.length % rows !== 0)
    throw new RangeError(`${rows} rows of ${bytes.length} bytes are no heads of ${headRows} rows`)
  const stride = bytes.length / rows
  const result = new Uint8Array(bytes.length)
  for (let row = 0; row < rows; row++) {
    const within = row % headRows
    const source = (row - within + from(within)) * stride
    result.set(bytes.subarray(source, source + stride), row * stride)
  }
  return result
}
