import { filled, float, isEmpty, registerFused } from './kernel.ts'
import type { Value } from './recorder.ts'

/** Rotary position embedding; `fused-kernels.ts` says what it takes and gives. */
export function registerFusedRotary(): void {
  registerFused('Rotary', ({ inputs, attributes: { back }, backend }) => {
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
}
