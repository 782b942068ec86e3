import type { TensorInfo } from '../../tensor/tf.ts'
import type { OnnxBackend } from './backend.ts'
import { frozenProduct, pickedRows } from './frozen.ts'
import { inverseRoot, normGradient } from './fused-norm.ts'
import { filled, float, isEmpty, registerFused } from './kernel.ts'
import type { Value } from './recorder.ts'

/** Cross-entropy without a one-hot matrix; `fused-kernels.ts` says what each kernel takes and gives. */
export function registerFusedLoss(): void {
  registerFused('CrossEntropy', ({ inputs, backend }) => {
    const { graph } = backend
    if (isEmpty(inputs.logits!)) return filled(backend, [], 0, 'float32')
    const rows = new LabelledRows(float(backend, inputs.logits!), inputs.labels!, backend)
    const losses = graph.node('Mul', [rows.valid(), rows.surprise()], 'float32', rows.column)
    const sum = graph.node('ReduceSum', [losses, graph.ints(0, 1)], 'float32', [], { keepdims: 0 })
    return backend.output(graph.node('Div', [sum, float(backend, inputs.divisor!)], 'float32', []))
  })
  registerFused('CrossEntropyGrad', ({ inputs, backend }) => {
    const { graph } = backend
    const { shape } = inputs.logits!
    if (isEmpty(inputs.logits!)) return filled(backend, shape, 0, 'float32')
    const rows = new LabelledRows(float(backend, inputs.logits!), inputs.labels!, backend)
    const share = graph.node('Div', [float(backend, inputs.dy!), float(backend, inputs.divisor!)], 'float32', [])
    const weight = graph.node('Mul', [rows.valid(), share], 'float32', rows.column)
    const less = graph.node('Neg', [weight], 'float32', rows.column)
    const weighted = graph.node('Mul', [rows.probabilities(), weight], 'float32', shape)
    const settings = { axis: 1, reduction: 'add' }
    return backend.output(graph.node('ScatterElements', [weighted, rows.index(), less], 'float32', shape, settings))
  })
  registerFused('HeadLoss', ({ inputs, attributes, backend }) => {
    const { graph } = backend
    const x = float(backend, inputs.x!)
    const apply = (operator: string, a: Value, b: Value) => graph.node(operator, [a, b], 'float32', x.shape)
    const norm = float(backend, inputs.norm!)
    const inverse = inverseRoot(x, attributes.epsilon, backend)
    const scaled = apply('Mul', x, inverse)
    const logits = frozenProduct(apply('Mul', scaled, norm), attributes.weight, false, backend)
    const rows = new LabelledRows(logits, inputs.labels!, backend)
    const divisor = float(backend, inputs.divisor!)
    const losses = graph.node('Mul', [rows.valid(), rows.surprise()], 'float32', rows.column)
    const sum = graph.node('ReduceSum', [losses, graph.ints(0, 1)], 'float32', [], { keepdims: 0 })
    const loss = graph.node('Div', [sum, divisor], 'float32', [])
    // (p - 1 at the label) W = p W - the label's row of W. Rows are multiplied by their weight in [n, hidden], which is shorter
    // than [n, vocabulary].
    const all = frozenProduct(rows.probabilities(), attributes.weight, true, backend)
    const own = pickedRows(attributes.weight, graph.reshape(rows.index(), [x.shape[0]!]), x.shape, backend)
    const weight = graph.node('Div', [rows.valid(), divisor], 'float32', rows.column)
    const dNormed = apply('Mul', apply('Sub', all, own), weight)
    return [backend.output(loss), backend.output(normGradient(dNormed, x, norm, inverse, backend))]
  })
  registerFused('LabelLogLikelihoods', ({ inputs, backend }) => {
    const { graph } = backend
    const n = inputs.logits!.shape[0]!
    if (n === 0) return filled(backend, [0], 0, 'float32')
    const rows = new LabelledRows(float(backend, inputs.logits!), inputs.labels!, backend)
    return backend.output(graph.reshape(graph.node('Neg', [rows.surprise()], 'float32', rows.column), [n]))
  })
}

/** Rows of logits, each with a label, or -1 where it has none. Columns are [n, 1]. */
class LabelledRows {
  readonly #backend: OnnxBackend
  readonly #logits: Value
  readonly #labels: Value
  readonly column: number[]

  constructor(logits: Value, labels: TensorInfo, backend: OnnxBackend) {
    this.#backend = backend
    this.#logits = logits
    this.column = [logits.shape[0]!, 1]
    this.#labels = backend.graph.reshape(backend.graph.cast(backend.input(labels), 'int32'), this.column)
  }

  /** 1 for a row that has a label. */
  valid(): Value {
    const { graph } = this.#backend
    const none = graph.constant('int32', [0], [])
    return graph.cast(graph.node('GreaterOrEqual', [this.#labels, none], 'bool', this.column), 'float32')
  }

  /** The label, or 0 where there is none. */
  index(): Value {
    const { graph } = this.#backend
    return graph.node('Max', [this.#labels, graph.constant('int32', [0], [])], 'int32', this.column)
  }

  probabilities(): Value {
    return this.#backend.graph.node('Softmax', [this.#logits], 'float32', this.#logits.shape, { axis: 1 })
  }

  /**
   * -log softmax(logits)[label]. The probability of the largest logit is exp(largest - logSumExp) and never small, so
   * logSumExp follows from it without another pass of exponentials.
   */
  surprise(): Value {
    const { graph } = this.#backend
    const largest = (value: Value) =>
      graph.node('ReduceMax', [value, graph.ints(1)], 'float32', this.column, { keepdims: 1 })
    const log = graph.node('Log', [largest(this.probabilities())], 'float32', this.column)
    const logSumExp = graph.node('Sub', [largest(this.#logits), log], 'float32', this.column)
    const picked = graph.node('GatherElements', [this.#logits, this.index()], 'float32', this.column, { axis: 1 })
    return graph.node('Sub', [logSumExp, picked], 'float32', this.column)
  }
}
