import type { GraphNode, GraphValue, GraphConstant } from '../../backends/onnx/model-proto.ts'
import type { DecoderConfig } from '../../models/decoder-config.ts'
import type { LayerAttention, LayerShape } from '../../models/model-config.ts'
import { tensorsOf } from '../../models/tensors.ts'
import type { WeightType } from '../../tensor/stored-tensor.ts'
import { GraphBuilder } from './graph-builder.ts'
import { GraphPositions } from './graph-positions.ts'
import { type GraphWeight, GraphWeights } from './graph-weights.ts'

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

class DecoderParts {
  readonly #graph: GraphBuilder
  readonly #config: DecoderConfig
  readonly #weights: GraphWeights
  readonly #positions: GraphPositions
  /** [batch] and [length], as lists of one number. */
  readonly #batch: string
  readonly #length: string

  constructor(graph: GraphBuilder, config: DecoderConfig, weights: readonly GraphWeight[]) {
    this.#graph = graph
    this.#config = config
    this.#weights = new GraphWeights(graph, config, weights)
    this.#batch = graph.node('Shape', ['input_ids'], { start: 0, end: 1 })
    this.#length = graph.node('Shape', ['input_ids'], { start: 1, end: 2 })
    this.#positions = new GraphPositions(graph, config, this.#length)
  }

  run(): string {
    const graph = this.#graph
    const { hiddenSize, embeddingScale, layers, vocabularySize, tiedEmbeddings } = this.#config
    const embedding = this.#weights.weight('embedding', null)
    const rows = this.#weights.widened(graph.node('Gather', [embedding.spec.name, 'input_ids']), embedding)
    const scaled = embeddingScale === 1 ? rows : graph.node('Mul', [rows, graph.float(embeddingScale)])
    let x = graph.node('Reshape', [scaled, graph.ints(-1, hiddenSize)])
    for (const [layer, shape] of layers.entries()) x = this.#block(x, layer, shape)
    const head = tiedEmbeddings ? embedding : this.#weights.weight('head', null)
    const normed = this.#weights.norm(x, 'final', null)
    const logits = graph.node('Gemm', [normed, this.#weights.widened(head.spec.name, head)], { transB: 1 })
    return graph.node('Reshape', [logits, this.#shape(vocabularySize)], {}, 'logits')
  }

  #block(x: string, layer: number, shape: LayerShape): string {
    const { branchNorms } = this.#config
    const branch = (value: string, name: string) => (branchNorms ? this.#weights.norm(value, name, layer) : value)
    const heads = this.#attention(this.#weights.norm(x, 'attention', layer), layer, shape)
    const attended = this.#graph.node('Add', [x, branch(heads, 'afterAttention')])
    const channels = this.#feedForward(this.#weights.norm(attended, 'feedForward', layer), layer)
    return this.#graph.node('Add', [attended, branch(channels, 'afterFeedForward')])
  }

  /** x [batch * length, hidden] */
  #attention(x: string, layer: number, shape: LayerShape): string {
    const graph = this.#graph
    const { headSize, queryKeyNorm, attentionScale, slidingWindow } = this.#config
    const { sliding, rotary }: LayerAttention = shape.attention ?? { sliding: slidingWindow !== null, rotary: true }
    const linears = this.#weights.linears(x, layer, ['q', 'k', 'v'])
    const split = (value: string, heads: number, norm: string | null) => {
      const apart = graph.node('Reshape', [value, this.#shape(heads, headSize)])
      const normed = norm !== null && queryKeyNorm ? this.#weights.norm(apart, norm, layer) : apart
      return graph.node('Transpose', [normed], { perm: [0, 2, 1, 3] })
    }
    const turn = (value: string) => (rotary ? this.#positions.rotate(value, sliding) : value)
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
    const shares = graph.node('Softmax', [graph.node('Add', [apart, this.#positions.mask(sliding)])], { axis: -1 })
    const context = graph.node('MatMul', [graph.node('Reshape', [shares, graph.ints(0, keyValueHeads, -1, 0)]), values])
    const heads = graph.node('Reshape', [context, graph.ints(0, shape.heads, -1, headSize)])
    const rows = graph.node('Transpose', [heads], { perm: [0, 2, 1, 3] })
    return this.#weights.linears(graph.node('Reshape', [rows, graph.ints(-1, shape.heads * headSize)]), layer, ['o']).o!
  }

  #feedForward(x: string, layer: number): string {
    const graph = this.#graph
    const { gate, up } = this.#weights.linears(x, layer, ['gate', 'up'])
    const open =
      this.#config.activation === 'silu'
        ? graph.node('Mul', [gate!, graph.node('Sigmoid', [gate!])])
        : graph.node('Gelu', [gate!], { approximate: 'tanh' })
    return this.#weights.linears(graph.node('Mul', [open, up!]), layer, ['down']).down!
  }

  /** [batch, length, ...sizes] as a shape. */
  #shape(...sizes: number[]): string {
    return this.#graph.node('Concat', [this.#batch, this.#length, this.#graph.ints(...sizes)], { axis: 0 })
  }
}
