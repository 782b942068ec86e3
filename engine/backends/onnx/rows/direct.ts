import { rowsOf, toFloat32 } from '../../../tensor/frozen-weight.ts'
import type { TensorInfo } from '../../../tensor/tf.ts'
import type { FusedAttributes, FusedKernel } from '../../fused-kernels.ts'
import type { OnnxBackend } from '../backend.ts'
import { type Call, registerDirect } from '../kernel.ts'
import { sizeOf } from '../recorder.ts'
import { attendOnce } from './attention.ts'
import { fewRowsProduct, mostRows } from './product.ts'

type Result = TensorInfo | TensorInfo[] | null

const kernel = <Name extends FusedKernel>(name: Name, compute: (call: Call<FusedAttributes[Name]>) => Result): void =>
  registerDirect(name, compute)

/** Kernels that compute at once what a token needs, so that no graph is made of it. */
export function registerDirectKernels(): void {
  registerProducts()
  registerNormsAndTurns()
  registerElements()
}

function registerProducts(): void {
  kernel('FrozenLinear', ({ inputs: { x }, attributes: { weight, transposed }, backend }) => {
    if (transposed) return null
    const rows = sizeOf(x!.shape) / weight.columns
    const y = fewRowsProduct(backend.floats(x!), rows, weight, backend.crew)
    return y && copied(y, [...x!.shape.slice(0, -1), weight.rows], backend)
  })

  kernel('LoraLinear', ({ inputs, attributes: { weights, scales }, backend }) => {
    const x = backend.floats(inputs.x!)
    const rows = inputs.x!.shape[0]!
    const results: TensorInfo[] = []
    for (const [i, weight] of weights.entries()) {
      const y = inputs[`keep${i}`] ? null : fewRowsProduct(x, rows, weight, backend.crew)
      if (!y) {
        for (const { dataId } of results) backend.disposeData(dataId)
        return null
      }
      const result = copied(y, [rows, weight.rows], backend)
      const [a, b] = [backend.floats(inputs[`a${i}`]!), backend.floats(inputs[`b${i}`]!)]
      addLowRank(backend.floats(result), { x, a, b, scale: scales[i]!, rank: inputs[`a${i}`]!.shape[0]! }, rows)
      results.push(result)
    }
    return results
  })

  kernel('FrozenRows', ({ inputs: { indices }, attributes: { weight }, backend }) => {
    const ids = backend.peek(indices!)
    if (!ids || ids.length > mostRows) return null
    const { tensor, data } = backend.blank([...indices!.shape, weight.columns])
    for (const [place, id] of ids.entries()) data.set(toFloat32(rowsOf(weight, id, 1)), place * weight.columns)
    return tensor
  })

  kernel('Attention', ({ inputs, attributes: { shape }, backend }) => {
    const [q, k, v, bias] = [inputs.q!, inputs.k!, inputs.v!, inputs.bias!].map((each) => backend.floats(each))
    const { tensor, data } = backend.blank([shape.rows * shape.queries, shape.heads * shape.headSize])
    if (attendOnce({ q: q!, k: k!, v: v!, bias: bias! }, shape, data)) return tensor
    backend.disposeData(tensor.dataId)
    return null
  })
}

interface LowRankTerm {
  /** [rows, inputs], [rank, inputs], [outputs, rank] */
  x: Float32Array
  a: Float32Array
  b: Float32Array
  scale: number
  rank: number
}

/** y += scale (x A^T) B^T */
function addLowRank(y: Float32Array, { x, a, b, scale, rank }: LowRankTerm, rows: number): void {
  const [inputs, outputs] = [a.length / rank, b.length / rank]
  const narrow = new Float64Array(rank)
  for (let row = 0; row < rows; row++) {
    for (let r = 0; r < rank; r++) {
      let sum = 0
      for (let i = 0; i < inputs; i++) sum += x[row * inputs + i]! * a[r * inputs + i]!
      narrow[r] = scale * sum
    }
    for (let output = 0; output < outputs; output++) {
      let sum = 0
      for (let r = 0; r < rank; r++) sum += narrow[r]! * b[output * rank + r]!
      y[row * outputs + output]! += sum
    }
  }
}

function registerNormsAndTurns(): void {
  kernel('RmsNorm', ({ inputs: { x, weight }, attributes: { epsilon }, backend }) => {
    const [values, factors] = [backend.floats(x!), backend.floats(weight!)]
    const size = factors.length
    const { tensor, data } = backend.blank(x!.shape)
    const column = backend.blank([...x!.shape.slice(0, -1), 1])
    for (let start = 0; start < values.length; start += size) {
      let squares = 0
      for (let i = start; i < start + size; i++) squares += values[i]! * values[i]!
      const inverse = 1 / Math.sqrt(squares / size + epsilon)
      for (let i = 0; i < size; i++) data[start + i] = values[start + i]! * inverse * factors[i]!
      column.data[start / size] = inverse
    }
    return [tensor, column.tensor]
  })

  kernel('Rotary', ({ inputs, attributes: { back }, backend }) => {
    const [rows, length, heads, size] = inputs.x!.shape as [number, number, number, number]
    if (back) return null
    const [x, cosine, sine] = [inputs.x!, inputs.cosine!, inputs.sine!].map((each) => backend.floats(each)) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ]
    const half = size / 2
    const { tensor, data } = backend.blank(inputs.x!.shape)
    for (let token = 0; token < rows * length; token++) {
      const angle = (inputs.cosine!.shape[0] === rows ? token : token % length) * half
      for (let head = 0; head < heads; head++) {
        const start = (token * heads + head) * size
        for (let i = 0; i < half; i++) {
          const [first, second] = [x[start + i]!, x[start + half + i]!]
          data[start + i] = first * cosine[angle + i]! - second * sine[angle + i]!
          data[start + half + i] = second * cosine[angle + i]! + first * sine[angle + i]!
        }
      }
    }
    return tensor
  })
}

function registerElements(): void {
  for (const [name, activation] of [
    ['SwiGlu', (x: number) => x / (1 + Math.exp(-x))],
    // x sigmoid(2 u), which is x (1 + tanh u) / 2 with its digits kept: see `gatedActivation`.
    ['GeGlu', (x: number) => x / (1 + Math.exp(-2 * Math.sqrt(2 / Math.PI) * x * (1 + 0.044715 * x * x)))],
  ] as const)
    kernel(name, ({ inputs: { gate, up }, backend }) => {
      const [gates, ups] = [backend.floats(gate!), backend.floats(up!)]
      const { tensor, data } = backend.blank(gate!.shape)
      for (let i = 0; i < data.length; i++) data[i] = activation(gates[i]!) * ups[i]!
      return tensor
    })

  registerDirect('Add', (call) => elementwise(call, (a, b) => a + b))
  registerDirect('Multiply', (call) => elementwise(call, (a, b) => a * b))
  registerDirect<{ size: number | number[] }>('Slice', ({ inputs: { x }, attributes: { size }, backend }) => {
    const isWhole = Array.isArray(size) && size.every((each, i) => each === x!.shape[i])
    return isWhole ? backend.alias(x!) : null
  })
}

/** Of two tensors of one shape, or of one and a row or number that is repeated. */
function elementwise({ inputs, backend }: Call<unknown>, compute: (a: number, b: number) => number): Result {
  const [a, b] = [inputs.a!, inputs.b!]
  const tail = a.shape.slice(a.shape.length - b.shape.length)
  const isRepeated = b.shape.length <= a.shape.length && b.shape.every((size, i) => size === tail[i])
  if (!isRepeated || a.dtype !== 'float32' || b.dtype !== 'float32') return null
  const [left, right] = [backend.floats(a), backend.floats(b)]
  const { tensor, data } = backend.blank(a.shape)
  for (let start = 0; start < data.length; start += right.length)
    for (let i = 0; i < right.length; i++) data[start + i] = compute(left[start + i]!, right[i]!)
  return tensor
}

/** A tensor with numbers that are overwritten soon. */
function copied(values: Float32Array, shape: readonly number[], backend: OnnxBackend): TensorInfo {
  const { tensor, data } = backend.blank(shape)
  data.set(values)
  return tensor
}
