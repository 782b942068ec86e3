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
  registerFused('DistilLoss', ({ inputs, attributes, backend }) => {
    const { graph } = backend
    const { share, temperature } = attributes
    const x = float(backend, inputs.x!)
    const teacher = float(backend, inputs.teacher!)
    const norm = float(backend, inputs.norm!)
    const inverse = inverseRoot(x, attributes.epsilon, backend)
    const apply = (operator: string, a: Value, b: Value) => graph.node(operator, [a, b], 'float32', a.shape)
    const times = (value: Value, factor: number) =>
      factor === 1 ? value : apply('Mul', value, graph.constant('float32', [factor], []))
    const normedBy = (input: Value, root: Value, weight: Value) => apply('Mul', apply('Mul', input, root), weight)
    const teacherRoot = inverseRoot(teacher, attributes.teacherEpsilon, backend)
    const teacherNormed = normedBy(teacher, teacherRoot, float(backend, inputs.teacherNorm!))
    const logits = frozenProduct(normedBy(x, inverse, norm), attributes.weight, false, backend)
    const teacherLogits = frozenProduct(teacherNormed, attributes.teacherWeight, false, backend)

    const labelled = new LabelledRows(logits, inputs.labels!, backend)
    const { column } = labelled
    const student = temperature === 1 ? labelled : new LogitRows(times(logits, 1 / temperature), backend)
    const taught = new LogitRows(times(teacherLogits, 1 / temperature), backend)
    const q = taught.probabilities()
    const apart = apply('Mul', q, apply('Sub', taught.logits, student.logits))
    const expected = graph.node('ReduceSum', [apart, graph.ints(1)], 'float32', column, { keepdims: 1 })
    const divergence = apply('Add', apply('Sub', expected, taught.logSumExp()), student.logSumExp())
    const fromTeacher = times(divergence, share * temperature ** 2)
    const ofRows = share === 1 ? fromTeacher : apply('Add', fromTeacher, times(labelled.surprise(), 1 - share))
    const divisor = float(backend, inputs.divisor!)
    const weight = apply('Div', labelled.valid(), divisor)
    const loss = graph.node('ReduceSum', [apply('Mul', ofRows, weight)], 'float32', [], { keepdims: 0 })

    // The label's share of the gradient is a row of the head's weight: it is never written into [n, vocabulary].
    const soft = times(apply('Sub', student.probabilities(), q), share * temperature)
    const all = share === 1 ? soft : apply('Add', soft, times(labelled.probabilities(), 1 - share))
    const product = frozenProduct(all, attributes.weight, true, backend)
    const own = () => pickedRows(attributes.weight, graph.reshape(labelled.index(), [x.shape[0]!]), x.shape, backend)
    const summed = share === 1 ? product : apply('Sub', product, times(own(), 1 - share))
    const dNormed = apply('Mul', summed, weight)
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

/** Rows of logits [n, size]. Columns are [n, 1]. */
class LogitRows {
  protected readonly backend: OnnxBackend
  readonly logits: Value
  readonly column: number[]

  constructor(logits: Value, backend: OnnxBackend) {
    this.backend = backend
    this.logits = logits
    this.column = [logits.shape[0]!, 1]
  }

  probabilities(): Value {
    return this.backend.graph.node('Softmax', [this.logits], 'float32', this.logits.shape, { axis: 1 })
  }

  /**
   * The probability of the largest logit is exp(largest - logSumExp) and never small, so logSumExp follows from it without
   * another pass of exponentials.
   */
  logSumExp(): Value {
    const { graph } = this.backend
    const largest = (value: Value) =>
      graph.node('ReduceMax', [value, graph.ints(1)], 'float32', this.column, { keepdims: 1 })
    const log = graph.node('Log', [largest(this.probabilities())], 'float32', this.column)
    return graph.node('Sub', [largest(this.logits), log], 'float32', this.column)
  }
}

/** Rows of logits, each with a label, or -1 where it has none. */
class LabelledRows extends LogitRows {
  readonly #labels: Value

  constructor(logits: Value, labels: TensorInfo, backend: OnnxBackend) {
    super(logits, backend)
    this.#labels = backend.graph.reshape(backend.graph.cast(backend.input(labels), 'int32'), this.column)
  }

  /** 1 for a row that has a label. */
  valid(): Value {
    const { graph } = this.backend
    const none = graph.constant('int32', [0], [])
    return graph.cast(graph.node('GreaterOrEqual', [this.#labels, none], 'bool', this.column), 'float32')
  }

  /** The label, or 0 where there is none. */
  index(): Value {
    const { graph } = this.backend
    return graph.node('Max', [this.#labels, graph.constant('int32', [0], [])], 'int32', this.column)
  }

  /** -log softmax(logits)[label]. */
  surprise(): Value {
    const { graph } = this.backend
    // Written before what is picked: ONNX Runtime then holds one array of logits less.
    const logSumExp = this.logSumExp()
    const picked = graph.node('GatherElements', [this.logits, this.index()], 'float32', this.column, { axis: 1 })
    return graph.node('Sub', [logSumExp, picked], 'float32', this.column)
  }
}
