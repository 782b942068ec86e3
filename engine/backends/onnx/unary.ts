import type { OnnxBackend } from './backend.ts'
import { float, numeric, register } from './kernel.ts'
import type { AttributeValue } from './model-proto.ts'
import type { Value } from './recorder.ts'

/** Kernels that are one ONNX operator on floats. Integers are computed in float32 and cut back, as tfjs does. */
const onFloats: Record<string, string> = {
  Acos: 'Acos',
  Acosh: 'Acosh',
  Asin: 'Asin',
  Asinh: 'Asinh',
  Atan: 'Atan',
  Atanh: 'Atanh',
  Ceil: 'Ceil',
  Cos: 'Cos',
  Cosh: 'Cosh',
  Elu: 'Elu',
  Erf: 'Erf',
  Floor: 'Floor',
  Log: 'Log',
  Reciprocal: 'Reciprocal',
  Round: 'Round',
  Selu: 'Selu',
  Sigmoid: 'Sigmoid',
  Sin: 'Sin',
  Sinh: 'Sinh',
  Softplus: 'Softplus',
  Sqrt: 'Sqrt',
  Tan: 'Tan',
  Tanh: 'Tanh',
}

/** Kernels that are one ONNX operator on floats and integers alike. */
const onNumbers: Record<string, string> = { Abs: 'Abs', Neg: 'Neg', Relu: 'Relu' }

export function registerUnary(): void {
  for (const [kernel, operator] of Object.entries(onFloats)) floats(kernel, (value, apply) => apply(operator, [value]))
  for (const [kernel, operator] of Object.entries(onNumbers)) {
    register(kernel, ({ inputs, backend }) => {
      const x = numeric(backend, inputs.x!)
      return backend.output(backend.graph.node(operator, [x], x.type, x.shape), inputs.x!.dtype)
    })
  }
  register('Exp', ({ inputs, backend }) => {
    const x = float(backend, inputs.x!)
    return backend.output(backend.graph.node('Exp', [x], 'float32', x.shape))
  })
  register('Square', ({ inputs, backend }) => {
    const x = numeric(backend, inputs.x!)
    return backend.output(backend.graph.node('Mul', [x, x], x.type, x.shape), inputs.x!.dtype)
  })
  // tfjs calls the sign of NaN 0.
  register('Sign', ({ inputs, backend }) => {
    const x = numeric(backend, inputs.x!)
    const { graph } = backend
    const sign = graph.node('Sign', [x], x.type, x.shape)
    if (x.type !== 'float32') return backend.output(sign, inputs.x!.dtype)
    const isNaN = graph.node('IsNaN', [x], 'bool', x.shape)
    return backend.output(graph.node('Where', [isNaN, graph.scalar(0), sign], 'float32', x.shape))
  })
  floats('Rsqrt', (x, apply) => apply('Reciprocal', [apply('Sqrt', [x])]))
  // exp(x) - 1 = tanh(x / 2) (exp(x) + 1) keeps its digits near zero.
  floats('Expm1', (x, apply, number) =>
    apply('Mul', [apply('Tanh', [apply('Mul', [x, number(0.5)])]), apply('Add', [apply('Exp', [x]), number(1)])]),
  )
  // log(1 + x) = 2 atanh(x / (2 + x)) keeps its digits near zero, log itself far from it.
  floats('Log1p', (x, apply, number, backend) => {
    const near = apply('Mul', [apply('Atanh', [apply('Div', [x, apply('Add', [x, number(2)])])]), number(2)])
    const far = apply('Log', [apply('Add', [x, number(1)])])
    const isNear = backend.graph.node('Less', [apply('Abs', [x]), number(0.5)], 'bool', x.shape)
    return apply('Where', [isNear, near, far])
  })
  floats('Relu6', (x, apply, number) => apply('Clip', [x, number(0), number(6)]))
  floats<{ clipValueMin: number; clipValueMax: number }>('ClipByValue', (x, apply, number, _, attributes) =>
    apply('Clip', [x, number(attributes.clipValueMin), number(attributes.clipValueMax)]),
  )
  floats<{ alpha: number }>('LeakyRelu', (x, apply, _, __, { alpha }) =>
    apply('LeakyRelu', [x], { alpha: { float: alpha } }),
  )
  floats<{ alpha: number }>('Step', (x, apply, number, backend, { alpha }) => {
    const positive = backend.graph.node('Greater', [x, number(0)], 'bool', x.shape)
    const stepped = apply('Where', [positive, number(1), number(alpha)])
    return apply('Where', [backend.graph.node('IsNaN', [x], 'bool', x.shape), x, stepped])
  })
  truths('IsNan', (x, test) => test('IsNaN', [x]))
  truths('IsInf', (x, test) => test('IsInf', [x]))
  truths('IsFinite', (x, test) => test('Not', [test('Or', [test('IsNaN', [x]), test('IsInf', [x])])]))
  register('LogicalNot', ({ inputs, backend }) => {
    const x = backend.graph.cast(backend.input(inputs.x!), 'bool')
    return backend.output(backend.graph.node('Not', [x], 'bool', x.shape))
  })
  register<{ dtype: 'float32' | 'int32' | 'bool' }>('Cast', ({ inputs, attributes, backend }) => {
    const x = inputs.x!
    return x.dtype === attributes.dtype ? backend.alias(x) : backend.output(backend.input(x), attributes.dtype)
  })
}

type Apply = (operator: string, inputs: Value[], attributes?: Record<string, AttributeValue>) => Value

function floats<Attributes>(
  kernel: string,
  build: (
    x: Value,
    apply: Apply,
    number: (value: number) => Value,
    backend: OnnxBackend,
    attributes: Attributes,
  ) => Value,
): void {
  register<Attributes>(kernel, ({ inputs, attributes, backend }) => {
    const x = float(backend, inputs.x!)
    const apply: Apply = (operator, values, settings) =>
      backend.graph.node(operator, values, 'float32', x.shape, settings)
    return backend.output(build(x, apply, backend.graph.scalar, backend, attributes), inputs.x!.dtype)
  })
}

function truths(kernel: string, build: (x: Value, test: (operator: string, inputs: Value[]) => Value) => Value): void {
  register(kernel, ({ inputs, backend }) => {
    const x = float(backend, inputs.x!)
    return backend.output(build(x, (operator, values) => backend.graph.node(operator, values, 'bool', x.shape)))
  })
}
