import type { GraphNode, GraphValue, GraphConstant } from '../../backends/onnx/model-proto.ts'
import type { DecoderConfig } from '../../models/decoder-config.ts'
import type { LinearName, TensorSpec } from '../../models/family.ts'
import type { LayerAttention, LayerShape } from '../../models/model-config.ts'
import { linearsOf, tensorsOf } from '../../models/tensors.ts'
import { rotaryFrequencies } from '../../ops/rotary.ts'
import type { WeightType } from '../../tensor/stored-tensor.ts'
import { GraphBuilder } from './graph-builder.ts'

/** A tensor of the checkpoint as the graph has it, under the same name. */
export interface GraphWeight {
  spec: TensorSpec
  type: WeightType
  /** What is added to its numbers: norms of 1 + w are written with their 1. */
  added: 0 | 1
}

/** A decoder as an ONNX graph, without the numbers of its weights. */
export interface DecoderGraph {
  nodes: GraphNode[]
  constants: GraphConstant[]
  inputs: GraphValue[]
  outputs: GraphValue[]
  weights: GraphWeight[]
}

const batch = 'batch_size'
const length = 'sequence_length'
const past = 'past_sequence_length'
/** Optimum's name of the size. */
const total = 'past_sequence_length + sequence_length'
const forbidden = -1e9

/**
 * The graph of a decoder, of operators of opset 21 alone, with a cache of keys and values that comes in and goes out. Inputs
 * and outputs are named as Optimum's exporter names them. It computes in float32, whatever type the weights have in the file;
 * every layer has shapes of its own.
 *
 * - in: input_ids, position_ids int64 [batch, length]; attention_mask int64 [batch, past + length], 0 for padding;
 *   past_key_values.N.key and .value float32 [batch, keyValueHeads, past, headSize]
 * - out: logits float32 [batch, length, vocabulary]; present.N.key and .value [batch, keyValueHeads, past + length, headSize]
 */
export function decoderGraph(config: DecoderConfig, type: WeightType): DecoderGraph {
  const graph = new GraphBuilder()
  const weights = tensorsOf(config).map((spec): GraphWeight => {
    const { role } = spec
    const isVector = role.part === 'norm' || role.part === 'bias'
    return { spec, type: isVector ? 'float32' : type, added: role.part === 'norm' ? role.offset : 0 }
  })
  const model = new DecoderParts(graph, config, weights)
  const values = model.run()
  const cache = (name: string, size: string): GraphValue[] =>
    config.layers.flatMap(({ keyValueHeads }, layer) =>
      ['key', 'value'].map((part) => ({
        name: `${name}.${layer}.${part}`,
        type: 'float32' as const,
        shape: [batch, keyValueHeads, size, config.headSize],
      })),
    )
  const ids = (name: string, size: string): GraphValue => ({ name, type: 'int64', shape: [batch, size] })
  return {
    nodes: graph.nodes,
    constants: graph.constants,
    inputs: [
      ids('input_ids', length),
      ids('attention_mask', total),
      ids('position_ids', length),
      ...cache('past_key_values', past),
    ],
    outputs: [
      { name: values, type: 'float32', shape: [batch, length, config.vocabularySize] },
      ...cache('present', total),
    ],
    weights,
  }
}

/** Cosines and sines of the positions [batch, 1, length, headSize / 2]. */
interface Rotation {
  cosine: string
  sine: string
}

class DecoderParts {
  readonly #graph: GraphBuilder
  readonly #config: DecoderConfig
  readonly #names = new Map<string, GraphWeight>()
  /** [batch] and [length], as lists of one number. */
  readonly #batch: string
  readonly #length: string
  readonly #rotations = new Map<boolean, Rotation>()
  readonly #masks = new Map<boolean, string>()

  constructor(graph: GraphBuilder, config: DecoderConfig, weights: readonly GraphWeight[]) {
    this.#graph = graph
    this.#config = config
    for (const weight of weights) this.#names.set(keyOf(weight.spec), weight)
    this.#batch = graph.node('Shape', ['input_ids'], { start: 0, end: 1 })
    this.#length = graph.node('Shape', ['input_ids'], { start: 1, end: 2 })
  }

  run(): string {
    const graph = this.#graph
    const { hiddenSize, embeddingScale, layers, vocabularySize, tiedEmbeddings } = this.#config
    const embedding = this.#weight('embedding', null)
    const rows = this.#widened(graph.node('Gather', [embedding.spec.name, 'input_ids']), embedding)
    const scaled = embeddingScale === 1 ? rows : graph.node('Mul', [rows, graph.float(embeddingScale)])
    let x = graph.node('Reshape', [scaled, graph.ints(-1, hiddenSize)])
    for (const [layer, shape] of layers.entries()) x = this.#block(x, layer, shape)
    const head = tiedEmbeddings ? embedding : this.#weight('head', null)
    const normed = this.#norm(x, 'final', null)
    const logits = graph.node('Gemm', [normed, this.#widened(head.spec.name, head)], { transB: 1 })
    return graph.node('Reshape', [logits, this.#shape(vocabularySize)], {}, 'logits')
  }

  #block(x: string, layer: number, shape: LayerShape): string {
    const { branchNorms } = this.#config
    const branch = (value: string, name: string) => (branchNorms ? this.#norm(value, name, layer) : value)
    const heads = this.#attention(this.#norm(x, 'attention', layer), layer, shape)
    const attended = this.#graph.node('Add', [x, branch(heads, 'afterAttention')])
    const channels = this.#feedForward(this.#norm(attended, 'feedForward', layer), layer)
    return this.#graph.node('Add', [attended, branch(channels, 'afterFeedForward')])
  }

  /** x [batch * length, hidden] */
  #attention(x: string, layer: number, shape: LayerShape): string {
    const graph = this.#graph
    const { headSize, queryKeyNorm, attentionScale, slidingWindow } = this.#config
    const { sliding, rotary }: LayerAttention = shape.attention ?? { sliding: slidingWindow !== null, rotary: true }
    const linears = this.#linears(x, layer, ['q', 'k', 'v'])
    const split = (value: string, heads: number, norm: string | null) => {
      const apart = graph.node('Reshape', [value, this.#shape(heads, headSize)])
      const normed = norm !== null && queryKeyNorm ? this.#norm(apart, norm, layer) : apart
      return graph.node('Transpose', [normed], { perm: [0, 2, 1, 3] })
    }
    const turn = (value: string) => (rotary ? this.#rotate(value, sliding) : value)
    const q = graph.node('Mul', [turn(split(linears.q!, shape.heads, 'query')), graph.float(attentionScale)])
    const remember = (value: string, part: string) =>
      graph.node('Concat', [`past_key_values.${layer}.${part}`, value], { axis: 2 }, `present.${layer}.${part}`)
    let keys = remember(turn(split(linears.k!, shape.keyValueHeads, 'key')), 'key')
    let values = remember(split(linears.v!, shape.keyValueHeads, null), 'value')
    let keyValueHeads = shape.keyValueHeads
    if (shape.keyValueHeadOf) {
      const readers = graph.ints(...shape.keyValueHeadOf)
      keys = graph.node('Gather', [keys, readers], { axis: 1 })
      values = graph.node('Gather', [values, readers], { axis: 1 })
      keyValueHeads = shape.heads
    }
    // Query heads of one key/value head lie after each other, so that keys and values are never repeated.
    const folded = graph.ints(0, keyValueHeads, -1, headSize)
    const scores = graph.node('MatMul', [
      graph.node('Reshape', [q, folded]),
      graph.node('Transpose', [keys], { perm: [0, 1, 3, 2] }),
    ])
    const apart = graph.node('Reshape', [scores, graph.ints(0, shape.heads, -1, 0)])
    const shares = graph.node('Softmax', [graph.node('Add', [apart, this.#mask(sliding)])], { axis: -1 })
    const context = graph.node('MatMul', [graph.node('Reshape', [shares, graph.ints(0, keyValueHeads, -1, 0)]), values])
    const heads = graph.node('Reshape', [context, graph.ints(0, shape.heads, -1, headSize)])
    const rows = graph.node('Transpose', [heads], { perm: [0, 2, 1, 3] })
    return this.#linears(graph.node('Reshape', [rows, graph.ints(-1, shape.heads * headSize)]), layer, ['o']).o!
  }

  #feedForward(x: string, layer: number): string {
    const graph = this.#graph
    const { gate, up } = this.#linears(x, layer, ['gate', 'up'])
    const open =
      this.#config.activation === 'silu'
        ? graph.node('Mul', [gate!, graph.node('Sigmoid', [gate!])])
        : graph.node('Gelu', [gate!], { approximate: 'tanh' })
    return this.#linears(graph.node('Mul', [open, up!]), layer, ['down']).down!
  }

  /** Linear layers over one input, however they are stored. */
  #linears(x: string, layer: number, wanted: readonly LinearName[]): Partial<Record<LinearName, string>> {
    const graph = this.#graph
    const specs = linearsOf(this.#config, layer)
    const found: Partial<Record<LinearName, string>> = {}
    for (const weight of this.#names.values()) {
      const { role, name } = weight.spec
      if (role.part !== 'weight' || role.layer !== layer || !wanted.includes(role.linears[0]!)) continue
      const bias = this.#names.get(`bias ${layer} ${role.linears.join('+')}`)
      const inputs = [x, this.#widened(name, weight), ...(bias ? [bias.spec.name] : [])]
      const product = graph.node('Gemm', inputs, { transB: 1 })
      const sizes = role.linears.map((linear) => specs.find((spec) => spec.name === linear)!.outputs)
      const parts =
        sizes.length === 1
          ? [product]
          : graph.nodesOf('Split', [product, graph.ints(...sizes)], sizes.length, { axis: -1 })
      for (const [index, linear] of role.linears.entries()) found[linear] = parts[index]!
    }
    return found
  }

  /** x / rms(x) * weight, over the last axis. */
  #norm(x: string, name: string, layer: number | null): string {
    const graph = this.#graph
    const squares = graph.node('ReduceMean', [graph.node('Mul', [x, x]), graph.ints(-1)], { keepdims: 1 })
    const size = graph.node('Sqrt', [graph.node('Add', [squares, graph.float(this.#config.normEpsilon)])])
    return graph.node('Mul', [graph.node('Div', [x, size]), this.#weight('norm', layer, name).spec.name])
  }

  /** @param x [batch, heads, length, headSize], whose halves turn against each other */
  #rotate(x: string, sliding: boolean): string {
    const graph = this.#graph
    const { cosine, sine } = this.#rotation(sliding)
    const [first, second] = graph.nodesOf('Split', [x], 2, { axis: -1, num_outputs: 2 })
    const times = (one: string, other: string) => graph.node('Mul', [one, other])
    return graph.node(
      'Concat',
      [
        graph.node('Sub', [times(first!, cosine), times(second!, sine)]),
        graph.node('Add', [times(second!, cosine), times(first!, sine)]),
      ],
      { axis: -1 },
    )
  }

  #rotation(sliding: boolean): Rotation {
    const known = this.#rotations.get(sliding)
    if (known) return known
    const graph = this.#graph
    const { headSize, ropeTheta, ropeScaling, slidingRopeTheta } = this.#config
    const own = sliding ? slidingRopeTheta : null
    const frequencies = rotaryFrequencies(headSize, own ?? ropeTheta, own === null ? ropeScaling : null)
    const positions = graph.node('Unsqueeze', [graph.cast('position_ids', 'float32'), graph.ints(1, 3)])
    const angles = graph.node('Mul', [positions, graph.floats(frequencies, [1, 1, 1, headSize / 2])])
    const rotation = { cosine: graph.node('Cos', [angles]), sine: graph.node('Sin', [angles]) }
    this.#rotations.set(sliding, rotation)
    return rotation
  }

  /** Added to scores: 0 where a query may look, [batch, 1, length, past + length]. */
  #mask(sliding: boolean): string {
    const known = this.#masks.get(sliding)
    if (known !== undefined) return known
    const graph = this.#graph
    const keys = graph.node('Squeeze', [graph.node('Shape', ['attention_mask'], { start: 1, end: 2 }), graph.ints(0)])
    const queries = graph.node('Squeeze', [this.#length, graph.ints(0)])
    const [zero, one] = [graph.int(0), graph.int(1)]
    const key = graph.node('Range', [zero, keys, one])
    const query = graph.node('Unsqueeze', [
      graph.node('Range', [graph.node('Sub', [keys, queries]), keys, one]),
      graph.ints(1),
    ])
    let may = graph.node('LessOrEqual', [key, query])
    if (sliding) {
      const oldest = graph.node('Sub', [query, graph.int(this.#config.slidingWindow!)])
      may = graph.node('And', [may, graph.node('Greater', [key, oldest])])
    }
    const present = graph.node('Unsqueeze', [graph.cast('attention_mask', 'bool'), graph.ints(1, 2)])
    const mask = graph.node('Where', [graph.node('And', [may, present]), graph.float(0), graph.float(forbidden)])
    this.#masks.set(sliding, mask)
    return mask
  }

  /** [batch, length, ...sizes] as a shape. */
  #shape(...sizes: number[]): string {
    return this.#graph.node('Concat', [this.#batch, this.#length, this.#graph.ints(...sizes)], { axis: 0 })
  }

  #weight(part: string, layer: number | null, name = ''): GraphWeight {
    const weight = this.#names.get(`${part} ${layer} ${name}`)
    if (!weight) throw new RangeError(`the model has no ${part} "${name}" in layer ${layer}`)
    return weight
  }

  /** In the type that is computed in. */
  #widened(value: string, { type }: GraphWeight): string {
    return type === 'float32' ? value : this.#graph.cast(value, 'float32')
  }
}

function keyOf({ role }: TensorSpec): string {
  const name = 'linears' in role ? role.linears.join('+') : 'norm' in role ? role.norm : ''
  return `${role.part} ${role.layer} ${name}`
}
