import { sizeOf } from './recorder.ts'
import type { OnnxBackend } from './backend.ts'
import { filled, float, isEmpty, register } from './kernel.ts'
import type { Value } from './recorder.ts'

/** Norm, rotation and activation; `engine/ops/fused.ts` says what each takes and gives. */
export function registerFusedElementwise(): void {
  register<{ back: boolean }>('Rotary', ({ inputs, attributes: { back }, backend }) => {
    const { graph } = backend
    const x = inputs.x!
    if (isEmpty(x)) return filled(backend, x.shape, 0, 'float32')
    const [rows, length, heads, size] = x.shape as [number, number, number, number]
    const table = (value: Value) => {
      const flat = graph.reshape(value, [value.shape[0]!, length, size / 2])
      if (value.shape[0] === rows) return flat
      const shape = [rows, length, size / 2]
      return graph.node('Expand', [flat, graph.ints(...shape)], 'float32', shape)
    }
    const sine = float(backend, inputs.sine!)
    const turn = back ? graph.node('Neg', [sine], 'float32', sine.shape) : sine
    const flat = graph.reshape(float(backend, x), [rows, length, heads * size])
    const operands = [flat, table(float(backend, inputs.cosine!)), table(turn)]
    const turned = graph.node('RotaryEmbedding', operands, 'float32', flat.shape, { num_heads: heads })
    return backend.output(graph.reshape(turned, x.shape))
  })

  register('SwiGlu', ({ inputs, backend }) => {
    const [gate, up] = [float(backend, inputs.gate!), float(backend, inputs.up!)]
    return backend.output(backend.graph.node('Mul', [silu(gate, backend), up], 'float32', gate.shape))
  })
  register('SwiGluGrad', ({ inputs, backend }) => {
    const { graph } = backend
    const [dy, gate, up] = [inputs.dy!, inputs.gate!, inputs.up!].map((each) => float(backend, each)) as [
      Value,
      Value,
      Value,
    ]
    const apply = (operator: string, ...operands: Value[]) => graph.node(operator, operands, 'float32', gate.shape)
    const s = apply('Sigmoid', gate)
    const y = silu(gate, backend)
    // d silu / d gate = s + silu * (1 - s)
    const slope = apply('Add', s, apply('Sub', y, apply('Mul', y, s)))
    return [backend.output(apply('Mul', apply('Mul', dy, up), slope)), backend.output(apply('Mul', dy, y))]
  })
}

const silu = (gate: Value, backend: OnnxBackend): Value =>
  sizeOf(gate.shape) === 0
    ? gate
    : backend.graph.node('QuickGelu', [gate], 'float32', gate.shape, { alpha: { float: 1 } }, 'com.microsoft')
