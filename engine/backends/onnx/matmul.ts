import { tf, type TensorInfo } from '../../tensor/tf.ts'
import type { OnnxBackend } from './backend.ts'
import { fill, float, isEmpty, numeric, register, transpose } from './kernel.ts'
import type { Value } from './recorder.ts'

interface Transposes {
  transposeA: boolean
  transposeB: boolean
}
interface Fused extends Transposes {
  activation: string
  leakyreluAlpha?: number
}

export function registerMatrixProducts(): void {
  register<Transposes>('BatchMatMul', ({ inputs, attributes, backend }) =>
    backend.output(product(inputs.a!, inputs.b!, attributes, backend), inputs.a!.dtype),
  )
  register<Fused>('_FusedMatMul', ({ inputs, attributes, backend }) => {
    const plain = product(inputs.a!, inputs.b!, attributes, backend)
    const value = inputs.bias
      ? backend.graph.node('Add', [plain, numeric(backend, inputs.bias)], plain.type, plain.shape)
      : plain
    return backend.output(
      activated(value, attributes.activation, inputs.preluActivationWeights, attributes.leakyreluAlpha, backend),
    )
  })
  register<{ equation: string }>('Einsum', ({ inputs, attributes, backend }) => {
    const values = Object.values(inputs).map((tensor) => float(backend, tensor))
    const { allDims, summedDims, idDims } = tf.backend_util.decodeEinsumEquation(attributes.equation, values.length)
    const sizes = new Map<number, number>()
    idDims.forEach((dims, operand) => dims.forEach((dim, axis) => sizes.set(dim, values[operand]!.shape[axis]!)))
    const shape = allDims.flatMap((_, dim) => (summedDims.includes(dim) ? [] : [sizes.get(dim)!]))
    return backend.output(
      backend.graph.node('Einsum', values, 'float32', shape, { equation: attributes.equation.replaceAll(' ', '') }),
    )
  })
}

/** a b with the matrices (not the batches) of either operand transposed on request. */
function product(first: TensorInfo, second: TensorInfo, settings: Transposes, backend: OnnxBackend): Value {
  const { graph } = backend
  const a = numeric(backend, first)
  const b = graph.cast(backend.input(second), a.type)
  const rows = a.shape.at(settings.transposeA ? -1 : -2)!
  const columns = b.shape.at(settings.transposeB ? -2 : -1)!
  const batch = tf.broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2))
  const shape = [...batch, rows, columns]
  if (isEmpty(a) || isEmpty(b)) return fill(backend, shape, 0, a.type)
  const swapped = (value: Value) => {
    const rank = value.shape.length
    return transpose(backend, value, [...Array(rank - 2).keys(), rank - 1, rank - 2])
  }
  if (a.type !== 'float32') {
    const operands = [settings.transposeA ? swapped(a) : a, settings.transposeB ? swapped(b) : b]
    return graph.node('MatMul', operands, a.type, shape)
  }
  if (!settings.transposeA && !settings.transposeB) return graph.node('MatMul', [a, b], 'float32', shape)
  const transposes = { transA: Number(settings.transposeA), transB: Number(settings.transposeB) }
  return graph.node('FusedMatMul', [a, b], 'float32', shape, transposes, 'com.microsoft')
}

/** The activation that a fused kernel of tfjs ends with. */
export function activated(
  value: Value,
  activation: string,
  prelu: TensorInfo | undefined,
  leakyAlpha: number | undefined,
  backend: OnnxBackend,
): Value {
  const { graph } = backend
  const apply = (operator: string, inputs: Value[], alpha?: number) =>
    graph.node(operator, inputs, 'float32', value.shape, alpha === undefined ? {} : { alpha: { float: alpha } })
  switch (activation) {
    case 'linear':
      return value
    case 'relu':
      return apply('Relu', [value])
    case 'elu':
      return apply('Elu', [value])
    case 'sigmoid':
      return apply('Sigmoid', [value])
    case 'relu6':
      return apply('Clip', [value, graph.scalar(0), graph.scalar(6)])
    case 'leakyrelu':
      return apply('LeakyRelu', [value], leakyAlpha ?? 0.2)
    case 'prelu': {
      const negative = graph.node('Less', [value, graph.scalar(0)], 'bool', value.shape)
      return apply('Where', [negative, apply('Mul', [value, float(backend, prelu!)]), value])
    }
    default:
      throw new Error(`activation ${activation} is not known to the onnx back end`)
  }
}
