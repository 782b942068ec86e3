import { tf, type TensorInfo } from '../../tensor/tf.ts'
import type { OnnxBackend } from './backend.ts'
import { float, numeric, register } from './kernel.ts'
import type { ElementType } from './model-proto.ts'
import type { Value } from './recorder.ts'

const broadcast = (a: { shape: readonly number[] }, b: { shape: readonly number[] }) =>
  tf.backend_util.assertAndGetBroadcastShape([...a.shape], [...b.shape])

export function registerBinary(): void {
  for (const [kernel, operator] of [
    ['Add', 'Add'],
    ['Sub', 'Sub'],
    ['Multiply', 'Mul'],
    ['Maximum', 'Max'],
    ['Minimum', 'Min'],
    ['Pow', 'Pow'],
  ] as const) {
    numbers(kernel, (a, b, apply) => apply(operator, [a, b]))
  }
  numbers('RealDiv', (a, b, apply, backend) =>
    a.type === 'float32' ? apply('Div', [a, b]) : wholeQuotient(a, b, 'Trunc', backend),
  )
  numbers('SquaredDifference', (a, b, apply) => {
    const difference = apply('Sub', [a, b])
    return apply('Mul', [difference, difference])
  })
  numbers('Mod', modulo)
  register('FloorDiv', ({ inputs, backend }) =>
    backend.output(wholeQuotient(numeric(backend, inputs.a!), numeric(backend, inputs.b!), 'Floor', backend), 'int32'),
  )
  numbers('Atan2', arcTangent)
  numbers('Prelu', (x, alpha, apply, backend) =>
    apply('Where', [
      backend.graph.node('Less', [x, zero(backend, x.type)], 'bool', x.shape),
      apply('Mul', [x, alpha]),
      x,
    ]),
  )
  for (const kernel of ['Greater', 'GreaterEqual', 'Less', 'LessEqual', 'Equal']) {
    comparison(kernel === 'GreaterEqual' ? 'GreaterOrEqual' : kernel === 'LessEqual' ? 'LessOrEqual' : kernel, kernel)
  }
  register('NotEqual', ({ inputs, backend }) => {
    const equal = compared('Equal', inputs.a!, inputs.b!, backend)
    return backend.output(backend.graph.node('Not', [equal], 'bool', equal.shape))
  })
  for (const [kernel, operator] of [
    ['LogicalAnd', 'And'],
    ['LogicalOr', 'Or'],
    ['LogicalXor', 'Xor'],
  ] as const) {
    register(kernel, ({ inputs, backend }) => {
      const [a, b] = [inputs.a!, inputs.b!].map((tensor) => backend.graph.cast(backend.input(tensor), 'bool'))
      return backend.output(backend.graph.node(operator, [a!, b!], 'bool', broadcast(a!, b!)))
    })
  }
  register('EluGrad', ({ inputs, backend }) => {
    const dy = float(backend, inputs.dy!)
    const y = float(backend, inputs.y!)
    const { graph } = backend
    const positive = graph.node('GreaterOrEqual', [y, graph.scalar(0)], 'bool', y.shape)
    const slope = graph.node('Add', [y, graph.scalar(1)], 'float32', y.shape)
    const sloped = graph.node('Mul', [dy, slope], 'float32', y.shape)
    return backend.output(graph.node('Where', [positive, dy, sloped], 'float32', y.shape))
  })
  register('AddN', ({ inputs, backend }) => {
    const tensors = Object.values(inputs)
    const values = tensors.map((tensor) => numeric(backend, tensor))
    const sum = values.reduce((left, right) => backend.graph.node('Add', [left, right], left.type, left.shape))
    return values.length === 1 ? backend.alias(tensors[0]!) : backend.output(sum, tensors[0]!.dtype)
  })
}

type Apply = (operator: string, inputs: Value[]) => Value

/** A kernel whose result has the type of its first operand. */
function numbers(kernel: string, build: (a: Value, b: Value, apply: Apply, backend: OnnxBackend) => Value): void {
  register(kernel, ({ inputs, backend }) => {
    const first = inputs.a ?? inputs.x!
    const a = numeric(backend, first)
    const b = backend.graph.cast(backend.input(inputs.b ?? inputs.alpha!), a.type)
    const shape = broadcast(a, b)
    const apply: Apply = (operator, values) => backend.graph.node(operator, values, a.type, shape)
    return backend.output(build(a, b, apply, backend), first.dtype)
  })
}

function compared(operator: string, first: TensorInfo, second: TensorInfo, backend: OnnxBackend): Value {
  const a = numeric(backend, first)
  const b = backend.graph.cast(backend.input(second), a.type)
  return backend.graph.node(operator, [a, b], 'bool', broadcast(a, b))
}

const comparison = (operator: string, kernel: string) =>
  register(kernel, ({ inputs, backend }) => backend.output(compared(operator, inputs.a!, inputs.b!, backend)))

const zero = (backend: OnnxBackend, type: ElementType) =>
  backend.graph.constant(type === 'int32' ? 'int32' : 'float32', [0], [])

/** Quotient as an integer, 0 where the divisor is 0: ONNX Runtime would fault, JavaScript stores NaN as 0. */
function wholeQuotient(a: Value, b: Value, rounding: 'Floor' | 'Trunc', backend: OnnxBackend): Value {
  const { graph } = backend
  const shape = broadcast(a, b)
  // In float64, as JavaScript computes: every int32 is exact there.
  const quotient = graph.node('Div', [graph.cast(a, 'float64'), graph.cast(b, 'float64')], 'float64', shape)
  const rounded = rounding === 'Floor' ? graph.node('Floor', [quotient], 'float64', shape) : quotient
  const byZero = graph.node('Equal', [b, zero(backend, b.type)], 'bool', b.shape)
  const none = graph.constant('int32', [0], [])
  return graph.node('Where', [byZero, none, graph.cast(rounded, 'int32')], 'int32', shape)
}

/** Remainder with the sign of the divisor, as in Python. */
function modulo(a: Value, b: Value, apply: Apply, backend: OnnxBackend): Value {
  const { graph } = backend
  const none = zero(backend, a.type)
  if (a.type === 'int32') {
    const byZero = graph.node('Equal', [b, none], 'bool', b.shape)
    const divisor = graph.node('Where', [byZero, graph.constant('int32', [1], []), b], 'int32', b.shape)
    return apply('Mod', [a, divisor])
  }
  const shape = broadcast(a, b)
  const remainder = (left: Value) => graph.node('Mod', [left, b], 'float32', shape, { fmod: 1 })
  const once = remainder(a)
  const negative = (value: Value) => graph.node('Less', [value, none], 'bool', value.shape)
  const differ = graph.node('Xor', [negative(a), negative(b)], 'bool', shape)
  return apply('Where', [differ, remainder(apply('Add', [once, b])), once])
}

/** Angle of the point (x, y), from the arc tangent of the quotient and the side of the axis. */
function arcTangent(y: Value, x: Value, apply: Apply, backend: OnnxBackend): Value {
  const { graph } = backend
  const none = graph.scalar(0)
  const test = (operator: string, value: Value) => graph.node(operator, [value, none], 'bool', value.shape)
  const angle = apply('Atan', [apply('Div', [y, x])])
  const below = test('Less', y)
  const half = graph.node('Where', [below, graph.scalar(-Math.PI), graph.scalar(Math.PI)], 'float32', y.shape)
  const turned = apply('Where', [test('Less', x), apply('Add', [angle, half]), angle])
  const sign = graph.node('Sign', [y], 'float32', y.shape)
  const upright = graph.node('Mul', [sign, graph.scalar(Math.PI / 2)], 'float32', y.shape)
  return apply('Where', [test('Equal', x), upright, turned])
}
