import { dispatch, groupsFor, output, register, sizeOf } from '../record.ts'
import { declarations, elementwise, floats } from '../wgsl.ts'

export function registerGatedActivations(): void {
  registerPair('SwiGlu', {
    forward: 'y[index] = gate[index] / (1.0 + exp(-gate[index])) * up[index];',
    // d silu / d gate = s + silu * (1 - s)
    backward: `
  let s = 1.0 / (1.0 + exp(-gate[index]));
  let silu = gate[index] * s;
  dGate[index] = dy[index] * up[index] * (s + silu * (1.0 - s));
  dUp[index] = dy[index] * silu;
`,
  })
  // GELU in its tanh approximation is x s with s = sigmoid(x (a + b x^2)), and its derivative s + x s (1 - s) (a + 3 b x^2).
  registerPair('GeGlu', {
    forward: `
  let x = gate[index];
  y[index] = x / (1.0 + exp(-x * (${linear} + ${cubic} * x * x))) * up[index];
`,
    backward: `
  let x = gate[index];
  let s = 1.0 / (1.0 + exp(-x * (${linear} + ${cubic} * x * x)));
  let gelu = x * s;
  dGate[index] = dy[index] * up[index] * (s + gelu * (1.0 - s) * (${linear} + ${3 * cubic} * x * x));
  dUp[index] = dy[index] * gelu;
`,
  })
}

/** 2 sqrt(2 / pi), and that times 0.044715. */
const linear = 2 * Math.sqrt(2 / Math.PI)
const cubic = linear * 0.044715

/**
 * Registers a gated activation and its gradient.
 *
 * @param bodies what computes element `index` of y from gate and up, and of dGate and dUp from dy, gate and up
 */
function registerPair(name: 'SwiGlu' | 'GeGlu', bodies: { forward: string; backward: string }): void {
  const forward = () => `
${declarations(floats('gate', 'up'), floats('y'), [['count', 'u32']])}
${elementwise(bodies.forward)}`
  const backward = () => `
${declarations(floats('dy', 'gate', 'up'), floats('dGate', 'dUp'), [['count', 'u32']])}
${elementwise(bodies.backward)}`
  register(name, ({ inputs, backend }) => {
    const gate = inputs.gate!
    const count = sizeOf(gate.shape)
    const y = output(backend, gate.shape)
    dispatch(backend, { key: name, code: forward }, [gate, inputs.up!, y], [count], groupsFor(count, 256))
    return y
  })
  register(`${name}Grad`, ({ inputs, backend }) => {
    const gate = inputs.gate!
    const count = sizeOf(gate.shape)
    const dGate = output(backend, gate.shape)
    const dUp = output(backend, gate.shape)
    const bindings = [inputs.dy!, gate, inputs.up!, dGate, dUp]
    dispatch(backend, { key: `${name}Grad`, code: backward }, bindings, [count], groupsFor(count, 256))
    return [dGate, dUp]
  })
}
