import { dispatch, groupsFor, output, register, sizeOf } from '../record.ts'
import { declarations, elementwise, floats } from '../wgsl.ts'

const forward = () => `
${declarations(floats('gate', 'up'), floats('y'), [['count', 'u32']])}
${elementwise('y[index] = gate[index] / (1.0 + exp(-gate[index])) * up[index];')}`

// d silu / d gate = s + silu * (1 - s)
const backward = () => `
${declarations(floats('dy', 'gate', 'up'), floats('dGate', 'dUp'), [['count', 'u32']])}
${elementwise(`
  let s = 1.0 / (1.0 + exp(-gate[index]));
  let silu = gate[index] * s;
  dGate[index] = dy[index] * up[index] * (s + silu * (1.0 - s));
  dUp[index] = dy[index] * silu;
`)}`

export function registerSwiGlu(): void {
  register('SwiGlu', ({ inputs, backend }) => {
    const gate = inputs.gate!
    const count = sizeOf(gate.shape)
    const y = output(backend, gate.shape)
    dispatch(backend, { key: 'SwiGlu', code: forward }, [gate, inputs.up!, y], [count], groupsFor(count, 256))
    return y
  })
  register('SwiGluGrad', ({ inputs, backend }) => {
    const gate = inputs.gate!
    const count = sizeOf(gate.shape)
    const dGate = output(backend, gate.shape)
    const dUp = output(backend, gate.shape)
    const bindings = [inputs.dy!, gate, inputs.up!, dGate, dUp]
    dispatch(backend, { key: 'SwiGluGrad', code: backward }, bindings, [count], groupsFor(count, 256))
    return [dGate, dUp]
  })
}
