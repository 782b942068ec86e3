import type { OnnxBackend } from './backend.ts'
import { float, isEmpty, registerFused } from './kernel.ts'
import type { AttributeValue } from './model-proto.ts'
import type { Value } from './recorder.ts'

/** Gated activations; `fused-kernels.ts` says what each takes and gives. */
export function registerFusedGatedActivations(): void {
  registerPair('SwiGlu', silu, (gate, apply) => {
    const s = apply('Sigmoid', [gate])
    const y = silu(gate, apply)
    // d silu / d gate = s + silu * (1 - s)
    return { y, slope: apply('Add', [s, apply('Sub', [y, apply('Mul', [y, s])])]) }
  })
  registerPair('GeGlu', geluTanh, (gate, apply, backend) => {
    const { scalar } = backend.graph
    // y = gate s with s = sigmoid(2 u), u = scale (gate + cubic gate^3), so that
    // d y / d gate = s + gate s (1 - s) 2 scale (1 + 3 cubic gate^2)
    const square = apply('Mul', [gate, gate])
    const polynomial = (factor: number) =>
      apply('Add', [apply('Mul', [square, scalar(2 * scale * factor)]), scalar(2 * scale)])
    const s = apply('Sigmoid', [apply('Mul', [gate, polynomial(cubic)])])
    const y = apply('Mul', [gate, s])
    const bend = apply('Mul', [apply('Sub', [y, apply('Mul', [y, s])]), polynomial(3 * cubic)])
    return { y, slope: apply('Add', [s, bend]) }
  })
}

const scale = Math.sqrt(2 / Math.PI)
const cubic = 0.044715

/** Adds a node whose result is shaped as the gate. */
type Apply = (
  operator: string,
  operands: Value[],
  attributes?: Record<string, AttributeValue>,
  domain?: 'com.microsoft',
) => Value

/**
 * Registers a gated activation and its gradient.
 *
 * @param activation of the gate
 * @param derivative the activation `y` of the gate again, and its derivative
 */
function registerPair(
  name: 'SwiGlu' | 'GeGlu',
  activation: (gate: Value, apply: Apply) => Value,
  derivative: (gate: Value, apply: Apply, backend: OnnxBackend) => { y: Value; slope: Value },
): void {
  registerFused(name, ({ inputs, backend }) => {
    const [gate, up] = [float(backend, inputs.gate!), float(backend, inputs.up!)]
    const apply = applyTo(gate, backend)
    return backend.output(apply('Mul', [activation(gate, apply), up]))
  })
  registerFused(`${name}Grad`, ({ inputs, backend }) => {
    const [dy, gate, up] = [inputs.dy!, inputs.gate!, inputs.up!].map((each) => float(backend, each)) as [
      Value,
      Value,
      Value,
    ]
    const apply = applyTo(gate, backend)
    const { y, slope } = derivative(gate, apply, backend)
    return [backend.output(apply('Mul', [apply('Mul', [dy, up]), slope])), backend.output(apply('Mul', [dy, y]))]
  })
}

const applyTo =
  (gate: Value, { graph }: OnnxBackend): Apply =>
  (operator, operands, ...rest) =>
    graph.node(operator, operands, 'float32', gate.shape, ...rest)

const silu = (gate: Value, apply: Apply): Value =>
  isEmpty(gate) ? gate : apply('QuickGelu', [gate], { alpha: { float: 1 } }, 'com.microsoft')

const geluTanh = (gate: Value, apply: Apply): Value =>
  isEmpty(gate) ? gate : apply('Gelu', [gate], { approximate: 'tanh' })
