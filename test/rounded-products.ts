import { type FrozenWeight, inMemory, toFloat32 } from '../engine/tensor/frozen-weight.ts'
import { type Tensor, tf } from '../engine/tensor/tf.ts'

/**
 * Makes products with frozen weights on the back end `cpu` what a card computes of 16-bit floats: every factor rounded to the
 * nearest one, rows of x and int8 weights scaled by a power of two around it, sums in float32. Where a card then differs from
 * the exact product but not from this one, rounding is the whole difference.
 */
export function registerRoundedProducts(): void {
  const kernel = tf.getKernel('FrozenLinear', 'cpu')
  if (kernel) tf.unregisterKernel('FrozenLinear', 'cpu')
  tf.registerKernel({
    kernelName: 'FrozenLinear',
    backendName: 'cpu',
    kernelFunc: ({ inputs, attrs }) => {
      const { weight, transposed } = attrs as unknown as { weight: FrozenWeight; transposed: boolean }
      const x = inputs.x as Tensor
      const width = x.shape.at(-1)!
      const result = transposed ? weight.columns : weight.rows
      // A single row is multiplied in float32 on every card.
      const rounds = transposed || x.size > width
      return tf.tidy(() => {
        const values = x.dataSync() as Float32Array
        const rows = tf.tensor2d(rounds ? roundedRows(values, width) : values, [x.size / width, width])
        const factors = rounds ? roundedWeight(weight, transposed) : toFloat32(weight)
        const matrix = tf.tensor2d(factors, [weight.rows, weight.columns])
        return tf.matMul(rows, matrix, false, !transposed).reshape([...x.shape.slice(0, -1), result])
      })
    },
  })
}

/** Rounded to 16-bit floats of values below 1 that were divided by a power of two. */
const rounded = (values: Float32Array, power: number): Float32Array =>
  Float32Array.from(new Float16Array(values.map((value) => value / power)), (value) => value * power)

const powerAbove = (largest: number) => (largest > 0 ? 2 ** (Math.floor(Math.log2(largest)) + 1) : 1)

function roundedRows(x: Float32Array, width: number): Float32Array {
  const result = Float32Array.from(x)
  for (let start = 0; start < x.length; start += width) {
    const row = x.subarray(start, start + width)
    result.set(rounded(row, powerAbove(row.reduce((most, value) => Math.max(most, Math.abs(value)), 0))), start)
  }
  return result
}

function roundedWeight(frozen: FrozenWeight, transposed: boolean): Float32Array {
  const weight = inMemory(frozen)
  const values = toFloat32(weight)
  if (weight.form !== 'int8') return rounded(values, 1)
  // Whole numbers up to 127 are 16-bit floats; not transposed, the rows' scales come after the sum.
  if (!transposed) return values
  return rounded(values, 2 ** Math.ceil(Math.log2(127 * Math.max(...weight.scales))))
}
