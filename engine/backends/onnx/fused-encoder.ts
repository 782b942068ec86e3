import { filled, float, isEmpty, registerFused } from './kernel.ts'
import type { Value } from './recorder.ts'

/** LayerNorm and GELU, which encoders use, and their gradients; `fused-kernels.ts` says what each takes and gives. */
export function registerFusedEncoder(): void {
  registerFused('LayerNorm', ({ inputs, attributes: { epsilon }, backend }) => {
    const x = float(backend, inputs.x!)
    const { shape } = x
    const column = [...shape.slice(0, -1), 1]
    if (isEmpty(x)) return [shape, column, column].map((size) => filled(backend, size, 0, 'float32'))
    const operands = [x, float(backend, inputs.weight!), float(backend, inputs.bias!)]
    const outputs = [shape, column, column].map((size) => ({ type: 'float32' as const, shape: size }))
    const attributes = { axis: -1, epsilon: { float: epsilon } }
    return backend.graph
      .nodes('LayerNormalization', operands, outputs, attributes)
      .map((value) => backend.output(value))
  })

  registerFused('LayerNormGrad', ({ inputs, backend }) => {
    const [dy, x, weight, mean, inverse] = ['dy', 'x', 'weight', 'mean', 'inverse'].map((name) =>
      float(backend, inputs[name]!),
    ) as [Value, Value, Value, Value, Value]
    const { graph } = backend
    if (isEmpty(x)) return filled(backend, x.shape, 0, 'float32')
    const apply = (operator: string, a: Value, b: Value) => graph.node(operator, [a, b], 'float32', x.shape)
    const meanOf = (value: Value) =>
      graph.node('ReduceMean', [value, graph.ints(x.shape.length - 1)], 'float32', mean.shape, { keepdims: 1 })
    const g = apply('Mul', dy, weight)
    const z = apply('Mul', apply('Sub', x, mean), inverse)
    const pull = apply('Mul', z, meanOf(apply('Mul', g, z)))
    return backend.output(apply('Mul', apply('Sub', apply('Sub', g, meanOf(g)), pull), inverse))
  })

  registerFused('Gelu', ({ inputs, backend }) => {
    const x = float(backend, inputs.x!)
    if (isEmpty(x)) return filled(backend, x.shape, 0, 'float32')
    return backend.output(backend.graph.node('Gelu', [x], 'float32', x.shape, { approximate: 'none' }))
  })

  registerFused('GeluGrad', ({ inputs, backend }) => {
    const [dy, x] = [float(backend, inputs.dy!), float(backend, inputs.x!)]
    const { graph } = backend
    if (isEmpty(x)) return filled(backend, x.shape, 0, 'float32')
    const apply = (operator: string, ...operands: Value[]) => graph.node(operator, operands, 'float32', x.shape)
    // Every node reads and writes all of memory's share: as few as can be. With u = x / sqrt 2, share = (1 + erf u) / 2 and
    // x times the density is x / sqrt(2 pi) / exp(u^2).
    const u = apply('Mul', x, graph.scalar(Math.SQRT1_2))
    const erf = apply('Erf', u)
    const share = graph.node('HardSigmoid', [erf], 'float32', x.shape, {
      alpha: { float: 0.5 },
      beta: { float: 0.5 },
    })
    const scaled = apply('Mul', x, graph.scalar(1 / Math.sqrt(2 * Math.PI)))
    const slope = apply('Div', scaled, apply('Exp', apply('Mul', u, u)))
    return backend.output(apply('Mul', dy, apply('Add', share, slope)))
  })
}
