import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseBackend } from '../../../engine/backends/choose.ts'
import { type GateActivation, gatedActivation } from '../../../engine/ops/gated-activation.ts'
import { type Tensor, tf } from '../../../engine/tensor/tf.ts'

/** The definitions, in 64-bit floats. */
const definitions: Record<GateActivation, (x: number) => number> = {
  silu: (x: number) => x / (1 + Math.exp(-x)),
  'gelu-tanh': (x: number) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
}
const gate = [-30, -6, -3.1, -1.5, -0.7, -0.01, 0, 0.01, 0.4, 1, 2.2, 5, 30]
const up = gate.map((_, i) => 1.5 - 0.3 * i)

for (const device of ['cpu', 'onnx'] as const)
  for (const activation of ['silu', 'gelu-tanh'] as const)
    test(`${activation} on ${device}: value as defined, gradients as finite differences say`, async () => {
      await chooseBackend({ device, threads: 1 })
      const define = definitions[activation]
      const [x, y] = [tf.tensor1d(gate), tf.tensor1d(up)]
      const [dGate, dUp] = tf.grads((g: Tensor, u: Tensor) => gatedActivation(g, u, activation))([x, y])
      const step = 1e-5
      const slope = (at: number) => (define(at + step) - define(at - step)) / (2 * step)
      assertClose(gatedActivation(x, y, activation), (g, u) => define(g) * u)
      assertClose(dGate!, (g, u) => slope(g) * u)
      assertClose(dUp!, define)
    })

function assertClose(tensor: { dataSync(): ArrayLike<number> }, expected: (gate: number, up: number) => number) {
  for (const [i, value] of Array.from(tensor.dataSync()).entries()) {
    const right = expected(gate[i]!, up[i]!)
    assert.ok(Math.abs(value - right) <= 4e-6 * (1 + Math.abs(right)), `at ${gate[i]}: ${value}, not ${right}`)
  }
}
