import type { TensorInfo } from '../../tensor/tf.ts'
import type { AttentionShape } from '../fused-kernels.ts'
import type { OnnxBackend } from './backend.ts'
import { filled, float, isEmpty, registerFused, transpose } from './kernel.ts'
import type { Value } from './recorder.ts'
import { sliced } from './shape.ts'

/** Queries of a piece of causal attention are no fewer than this, and pieces no more than that. */
const fewestQueries = 64
const mostPieces = 8

/**
 * Attention and its gradient. Where no query looks at later keys, queries are taken in pieces, each with the keys up to its
 * last one only: with many pieces half of all products and of every pass over the scores falls away.
 */
export function registerFusedAttention(): void {
  registerFused('Attention', ({ inputs, attributes: { shape }, backend }) => {
    const { rows, queries, heads, headSize } = shape
    const size = [rows * queries, heads * headSize]
    if (isEmpty({ shape: size })) return filled(backend, size, 0, 'float32')
    const parts = new Pieces(shape, backend)
    const keys = parts.foldKeys(inputs.k!)
    const values = parts.foldKeys(inputs.v!)
    const contexts = parts.foldQueries(inputs.q!).map((query, piece) => {
      const probabilities = parts.probabilities(query, keys, inputs.bias!, piece)
      return parts.product(probabilities, parts.seen(values, piece))
    })
    return backend.output(backend.graph.reshape(parts.unfoldQueries(contexts), size))
  })

  registerFused('AttentionGrad', ({ inputs, attributes: { shape }, backend }) => {
    const { graph } = backend
    const { q, k, v } = inputs as { q: TensorInfo; k: TensorInfo; v: TensorInfo }
    if (isEmpty(q) || isEmpty(k)) return [q, k, v].map((each) => filled(backend, each.shape, 0, 'float32'))
    const parts = new Pieces(shape, backend)
    const keys = parts.foldKeys(k)
    const values = parts.foldKeys(v)
    const gradients = parts.foldQueries(inputs.dy!)
    // Of a row of scores, sum(dp * p) is sum(dy * context), which is far shorter.
    const pulls = parts.pulls(float(backend, inputs.dy!), float(backend, inputs.context!))
    const forKeys: Value[] = []
    const forValues: Value[] = []
    const forQueries = parts.foldQueries(q).map((query, piece) => {
      const p = parts.probabilities(query, keys, inputs.bias!, piece)
      const dp = parts.product(gradients[piece]!, parts.seen(values, piece), { transB: 1 })
      const moved = graph.node('Sub', [dp, pulls[piece]!], 'float32', dp.shape)
      const ds = graph.node('Mul', [p, moved], 'float32', dp.shape)
      forKeys.push(parts.product(ds, query, { transA: 1 }))
      forValues.push(parts.product(p, gradients[piece]!, { transA: 1 }))
      return parts.product(ds, parts.seen(keys, piece))
    })
    return [
      backend.output(graph.reshape(parts.unfoldQueries(forQueries), q.shape)),
      backend.output(parts.unfoldKeys(parts.summed(forKeys))),
      backend.output(parts.unfoldKeys(parts.summed(forValues))),
    ]
  })
}

/** The ways between [rows, length, heads, headSize] and pieces, each a batch of matrices, one a key/value head. */
class Pieces {
  readonly #shape: AttentionShape
  readonly #backend: OnnxBackend
  readonly #count: number
  /** Queries of a piece. */
  readonly #length: number
  readonly #shared: number

  constructor(shape: AttentionShape, backend: OnnxBackend) {
    this.#shape = shape
    this.#backend = backend
    this.#count = shape.causal ? pieceCount(shape.queries) : 1
    this.#length = shape.queries / this.#count
    this.#shared = shape.heads / shape.keyValueHeads
  }

  /** Keys that a piece looks at. */
  #end(piece: number): number {
    return this.#count === 1 ? this.#shape.keys : (piece + 1) * this.#length
  }

  /** [rows * keyValueHeads, shared * queries of the piece, headSize] a piece. */
  foldQueries(tensor: TensorInfo): Value[] {
    const { rows, keyValueHeads, headSize } = this.#shape
    const { graph } = this.#backend
    const grid = [rows, this.#count, this.#length, keyValueHeads, this.#shared, headSize]
    const value = graph.reshape(float(this.#backend, tensor), grid)
    return this.#pieces(transpose(this.#backend, value, [1, 0, 3, 4, 2, 5]), headSize)
  }

  /** What `foldQueries` made, as [rows, pieces, queries of a piece, keyValueHeads, shared, headSize]. */
  unfoldQueries(pieces: readonly Value[]): Value {
    const { rows, keyValueHeads, headSize } = this.#shape
    const { graph } = this.#backend
    const grid = [rows, keyValueHeads, this.#shared, this.#length, headSize]
    const flat = pieces.map((piece) => graph.reshape(piece, [1, ...grid]))
    const joined =
      flat.length === 1 ? flat[0]! : graph.node('Concat', flat, 'float32', [flat.length, ...grid], { axis: 0 })
    return transpose(this.#backend, joined, [1, 0, 4, 2, 3, 5])
  }

  /** [rows * keyValueHeads, keys, headSize] */
  foldKeys(tensor: TensorInfo): Value {
    const { rows, keys, keyValueHeads, headSize } = this.#shape
    const moved = transpose(this.#backend, float(this.#backend, tensor), [0, 2, 1, 3])
    return this.#backend.graph.reshape(moved, [rows * keyValueHeads, keys, headSize])
  }

  unfoldKeys(value: Value): Value {
    const { rows, keys, keyValueHeads, headSize } = this.#shape
    const heads = this.#backend.graph.reshape(value, [rows, keyValueHeads, keys, headSize])
    return transpose(this.#backend, heads, [0, 2, 1, 3])
  }

  /** The keys that a piece looks at. */
  seen(keys: Value, piece: number): Value {
    const [batch, length, size] = keys.shape as [number, number, number]
    const end = this.#end(piece)
    return end === length ? keys : sliced(keys, [0, 0, 0], [batch, end, size], this.#backend)
  }

  /** softmax(q k^T + bias) of a piece: [rows * keyValueHeads, shared * queries of the piece, keys that it looks at] */
  probabilities(query: Value, keys: Value, bias: TensorInfo, piece: number): Value {
    const { rows, heads } = this.#shape
    const { graph } = this.#backend
    const end = this.#end(piece)
    const scores = this.product(query, this.seen(keys, piece), { transB: 1 })
    const shape = [rows, heads, this.#length, end]
    const begin = [0, 0, piece * this.#length, 0]
    const part = sliced(float(this.#backend, bias), begin, [bias.shape[0]!, 1, this.#length, end], this.#backend)
    const biased = graph.node('Add', [graph.reshape(scores, shape), part], 'float32', shape)
    return graph.reshape(graph.node('Softmax', [biased], 'float32', shape, { axis: 3 }), scores.shape)
  }

  /** sum(dy * context) over headSize: [rows * keyValueHeads, shared * queries of the piece, 1] a piece. */
  pulls(dy: Value, context: Value): Value[] {
    const { rows, keyValueHeads, headSize } = this.#shape
    const { graph } = this.#backend
    const grid = [rows, this.#count, this.#length, keyValueHeads, this.#shared]
    const product = graph.reshape(graph.node('Mul', [dy, context], 'float32', dy.shape), [...grid, headSize])
    const sums = graph.node('ReduceSum', [product, graph.ints(5)], 'float32', grid, { keepdims: 0 })
    return this.#pieces(transpose(this.#backend, sums, [1, 0, 3, 4, 2]), 1)
  }

  /** The pieces along the first axis, as batches of matrices of `columns` columns. */
  #pieces(value: Value, columns: number): Value[] {
    const { rows, keyValueHeads } = this.#shape
    const { graph } = this.#backend
    const shape = value.shape.with(0, 1)
    const parts =
      this.#count === 1
        ? [value]
        : graph.nodes(
            'Split',
            [value],
            Array.from({ length: this.#count }, () => ({ type: 'float32' as const, shape })),
            { axis: 0, num_outputs: this.#count },
          )
    return parts.map((part) => graph.reshape(part, [rows * keyValueHeads, this.#shared * this.#length, columns]))
  }

  /** What the pieces add to their first keys, summed: [rows * keyValueHeads, keys, headSize] */
  summed(pieces: readonly Value[]): Value {
    if (pieces.length === 1) return pieces[0]!
    const { graph } = this.#backend
    const [batch, keys, size] = pieces.at(-1)!.shape as [number, number, number]
    const shape = [batch, this.#length, size]
    const blocks: Value[][] = Array.from({ length: this.#count }, () => [])
    for (const [piece, value] of pieces.entries()) {
      const outputs = Array.from({ length: piece + 1 }, () => ({ type: 'float32' as const, shape }))
      const parts = piece === 0 ? [value] : graph.nodes('Split', [value], outputs, { axis: 1, num_outputs: piece + 1 })
      for (const [block, part] of parts.entries()) blocks[block]!.push(part)
    }
    const sums = blocks.map((parts) => (parts.length === 1 ? parts[0]! : graph.node('Sum', parts, 'float32', shape)))
    return graph.node('Concat', sums, 'float32', [batch, keys, size], { axis: 1 })
  }

  /** Products of the matrices of two batches, either transposed on request. */
  product(a: Value, b: Value, transposes: { transA?: 1; transB?: 1 } = {}): Value {
    const rows = a.shape[transposes.transA ? 2 : 1]!
    const columns = b.shape[transposes.transB ? 1 : 2]!
    const shape = [a.shape[0]!, rows, columns]
    const { graph } = this.#backend
    return transposes.transA || transposes.transB
      ? graph.node('FusedMatMul', [a, b], 'float32', shape, { ...transposes }, 'com.microsoft')
      : graph.node('MatMul', [a, b], 'float32', shape)
  }
}

/** The most pieces of equal length that are allowed. */
function pieceCount(queries: number): number {
  for (let count = mostPieces; count > 1; count--)
    if (queries % count === 0 && queries / count >= fewestQueries) return count
  return 1
}
