import type { OnnxBackend } from './backend.ts'
import { filled, float, isEmpty, registerFused } from './kernel.ts'
import type { Value } from './recorder.ts'

/** RMSNorm and its gradient; `fused-kernels.ts` says what each takes and gives. */
export function registerFusedNorm(): void {
  registerFused('RmsNorm', ({ inputs, attributes: { epsilon }, backend }) => {
    const { graph } = backend
    const x = float(backend, inputs.x!)
    if (isEmpty(x)) return [filled(backend, x.shape, 0, 'float32'), filled(backend, columnOf(x), 0, 'float32')]
    const inverse = inverseRoot(x, epsilon, backend)
    const scaled = graph.node('Mul', [x, inverse], 'float32', x.shape)
    const y = graph.node('Mul', [scaled, float(backend, inputs.weight!)], 'float32', x.shape)
    return [backend.output(y), backend.output(inverse)]
  })
  registerFused('RmsNormGrad', ({ inputs, backend }) => {
    const [dy, x, weight, inverse] = [inputs.dy!, inputs.x!, inputs.weight!, inputs.inverse!].map((each) =>
      float(backend, each),
    ) as [Value, Value, Value, Value]
    if (isEmpty(x)) return filled(backend, x.shape, 0, 'float32')
    return backend.output(normGradient(dy, x, weight, inverse, backend))
  })
}

const columnOf = ({ shape }: Value) => [...shape.slice(0, -1), 1]

/** 1 / sqrt(mean(x^2) + epsilon) of each row. */
export function inverseRoot(x: Value, epsilon: number, backend: OnnxBackend): Value {
  const { graph } = backend
  const column = columnOf(x)
  const square = graph.node('Mul', [x, x], 'float32', x.shape)
  const mean = graph.node('ReduceMean', [square, graph.ints(x.shape.length - 1)], 'float32', column, { keepdims: 1 })
  const root = graph.node(
    'Sqrt',
    [graph.node('Add', [mean, graph.scalar(epsilon)], 'float32', column)],
    'float32',
    column,
  )
  return graph.node('Reciprocal', [root], 'float32', column)
}

/** Gradient of RMSNorm with respect to x: r (dy w) - x r^3 mean(dy w x), where r is `inverse`. */
export function normGradient(dy: Value, x: Value, weight: Value, inverse: Value, backend: OnnxBackend): Value {
  const { graph } = backend
  const column = columnOf(x)
  const apply = (operator: string, a: Value, b: Value, shape = x.shape) =>
    graph.node(operator, [a, b], 'float32', shape)
  const weighted = apply('Mul', dy, weight)
  const axis = graph.ints(x.shape.length - 1)
  const mean = graph.node('ReduceMean', [apply('Mul', weighted, x), axis], 'float32', column, { keepdims: 1 })
  const cube = apply('Mul', inverse, apply('Mul', inverse, inverse, column), column)
  return apply('Sub', apply('Mul', weighted, inverse), apply('Mul', x, apply('Mul', mean, cube, column)))
}
