import { float, register } from './kernel.ts'

export function registerNeural(): void {
  register<{ dim: number }>('Softmax', ({ inputs, attributes, backend }) => {
    const x = float(backend, inputs.logits!)
    return backend.output(backend.graph.node('Softmax', [x], 'float32', x.shape, { axis: attributes.dim }))
  })
  register<{ axis: number }>('LogSoftmax', ({ inputs, attributes, backend }) => {
    const x = float(backend, inputs.logits!)
    return backend.output(backend.graph.node('LogSoftmax', [x], 'float32', x.shape, { axis: attributes.axis }))
  })
}
