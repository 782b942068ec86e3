import type { OnnxBackend } from './backend.ts'
import { frozenProduct, widened } from './frozen.ts'
import { filled, float, type Inputs, isEmpty, registerFused } from './kernel.ts'
import type { Value } from './recorder.ts'

/** Kernels of linear layers with adapters that read one input; `fused-kernels.ts` says what each takes and gives. */
export function registerFusedLinears(): void {
  registerFused('LoraLinear', ({ inputs, attributes: { weights, scales }, backend }) => {
    const { graph } = backend
    const x = float(backend, inputs.x!)
    const n = x.shape[0]!
    if (n === 0) return weights.map(({ rows }) => filled(backend, [0, rows], 0, 'float32'))
    const narrow = narrowed(x, inputs, weights.length, backend)
    return weights.map((weight, i) => {
      const product = frozenProduct(x, weight, false, backend)
      const settings = { transB: 1, alpha: { float: scales[i]! } }
      return backend.output(
        graph.node('Gemm', [narrow[i]!, float(backend, inputs[`b${i}`]!), product], 'float32', product.shape, settings),
      )
    })
  })

  registerFused('LoraLinearInputGrad', ({ inputs, attributes: { weights, scales }, backend }) => {
    const { graph } = backend
    const columns = weights[0]!.columns
    const n = inputs.dy0!.shape[0]!
    if (n === 0) return filled(backend, [0, columns], 0, 'float32')
    const shape = [n, columns]
    const pulled = weights.map((_, i) => pulledBack(i, inputs, scales, backend))
    // Gemm adds the sum so far, which saves a pass over it.
    const add = (sum: Value | null, left: Value, right: Value) =>
      sum
        ? graph.node('Gemm', [left, right, sum], 'float32', shape)
        : graph.node('MatMul', [left, right], 'float32', shape)
    let dx: Value | null = null
    for (const [i, weight] of weights.entries())
      dx = add(dx, float(backend, inputs[`dy${i}`]!), widened(weight, backend))
    const plain = weights.flatMap((_, i) => (inputs[`keep${i}`] ? [] : [i]))
    if (plain.length > 0) {
      const a = joined(
        plain.map((i) => float(backend, inputs[`a${i}`]!)),
        0,
        backend,
      )
      dx = add(
        dx,
        joined(
          plain.map((i) => pulled[i]!),
          1,
          backend,
        ),
        a,
      )
    }
    for (const i of weights.keys()) {
      const keep = inputs[`keep${i}`]
      if (!keep) continue
      const wide = add(null, pulled[i]!, float(backend, inputs[`a${i}`]!))
      const kept = graph.node('Mul', [wide, float(backend, keep)], 'float32', shape)
      dx = graph.node('Add', [dx!, kept], 'float32', shape)
    }
    return backend.output(dx!)
  })

  registerFused('LoraLinearGrad', ({ inputs, attributes: { weights, scales }, backend }) => {
    const { graph } = backend
    const x = float(backend, inputs.x!)
    if (isEmpty(inputs.x!))
      return weights.flatMap((_, i) => [
        filled(backend, inputs[`a${i}`]!.shape, 0, 'float32'),
        filled(backend, inputs[`b${i}`]!.shape, 0, 'float32'),
      ])
    const narrow = narrowed(x, inputs, weights.length, backend)
    const pulled = weights.map((_, i) => pulledBack(i, inputs, scales, backend))
    const da = gradientsOfA(x, pulled, inputs, backend)
    return weights.flatMap((_, i) => {
      // dB = scale dy^T (x A^T). Its transpose is computed: a product with few rows is faster than one with few columns.
      const rank = inputs[`a${i}`]!.shape[0]!
      const outputs = inputs[`b${i}`]!.shape[0]!
      const settings = { transA: 1, alpha: { float: scales[i]! } }
      const operands = [narrow[i]!, float(backend, inputs[`dy${i}`]!)]
      const flipped = graph.node('FusedMatMul', operands, 'float32', [rank, outputs], settings, 'com.microsoft')
      const db = graph.node('Transpose', [flipped], 'float32', [outputs, rank], { perm: [1, 0] })
      return [backend.output(da[i]!), backend.output(db)]
    })
  })
}

/** (keep x) A^T of each projection: one product for all that read x as it is. */
function narrowed(x: Value, inputs: Inputs, count: number, backend: OnnxBackend): Value[] {
  const { graph } = backend
  const n = x.shape[0]!
  const product = (input: Value, a: Value) =>
    graph.node('FusedMatMul', [input, a], 'float32', [n, a.shape[0]!], { transB: 1 }, 'com.microsoft')
  const a = Array.from({ length: count }, (_, i) => float(backend, inputs[`a${i}`]!))
  const plain = a.flatMap((_, i) => (inputs[`keep${i}`] ? [] : [i]))
  const shared = plain.map((i) => a[i]!)
  const parts = plain.length > 0 ? parted(product(x, joined(shared, 0, backend)), 1, shared, backend) : []
  return a.map((matrix, i) => {
    const keep = inputs[`keep${i}`]
    if (!keep) return parts[plain.indexOf(i)]!
    return product(graph.node('Mul', [x, float(backend, keep)], 'float32', x.shape), matrix)
  })
}

/** scale dy B [n, rank] of projection i. */
function pulledBack(i: number, inputs: Inputs, scales: readonly number[], backend: OnnxBackend): Value {
  const dy = float(backend, inputs[`dy${i}`]!)
  const b = float(backend, inputs[`b${i}`]!)
  const settings = { alpha: { float: scales[i]! } }
  return backend.graph.node('FusedMatMul', [dy, b], 'float32', [dy.shape[0]!, b.shape[1]!], settings, 'com.microsoft')
}

/** dA = (scale dy B)^T (keep x) of each projection: one product for all that read x as it is. */
function gradientsOfA(x: Value, pulled: readonly Value[], inputs: Inputs, backend: OnnxBackend): Value[] {
  const { graph } = backend
  const columns = x.shape[1]!
  const product = (narrow: Value, input: Value) =>
    graph.node('FusedMatMul', [narrow, input], 'float32', [narrow.shape[1]!, columns], { transA: 1 }, 'com.microsoft')
  const plain = pulled.flatMap((_, i) => (inputs[`keep${i}`] ? [] : [i]))
  const shared = plain.map((i) => float(backend, inputs[`a${i}`]!))
  const together = plain.map((i) => pulled[i]!)
  const parts = plain.length > 0 ? parted(product(joined(together, 1, backend), x), 0, shared, backend) : []
  return pulled.map((narrow, i) => {
    const keep = inputs[`keep${i}`]
    if (!keep) return parts[plain.indexOf(i)]!
    return product(narrow, graph.node('Mul', [x, float(backend, keep)], 'float32', x.shape))
  })
}

function joined(values: readonly Value[], axis: number, backend: OnnxBackend): Value {
  if (values.length === 1) return values[0]!
  const size = values.reduce((sum, value) => sum + value.shape[axis]!, 0)
  return backend.graph.node('Concat', values, 'float32', values[0]!.shape.with(axis, size), { axis })
}

/** The value's parts along an axis, one a matrix [rank, ...]. */
function parted(value: Value, axis: number, matrices: readonly Value[], backend: OnnxBackend): Value[] {
  if (matrices.length === 1) return [value]
  const { graph } = backend
  const sizes = matrices.map(({ shape }) => shape[0]!)
  const outputs = sizes.map((size) => ({ type: 'float32' as const, shape: value.shape.with(axis, size) }))
  return graph.nodes('Split', [value, graph.ints(...sizes)], outputs, { axis })
}
