import { type FrozenWeight, rowsOf, toFloat32 } from '../tensor/frozen-weight.ts'
import { tf, type Tensor, type TensorInfo } from '../tensor/tf.ts'
import type { FusedAttributes } from './fused-kernels.ts'

/**
 * Registers the kernels on frozen weights for a back end that computes at once, out of its own operations: the weight
 * becomes a float32 tensor for the length of the call.
 */
export function registerFrozenComposites(backendName: string): void {
  const registered = tf.getKernel('FrozenLinear', backendName)
  if (registered) return
  tf.registerKernel({
    kernelName: 'FrozenLinear',
    backendName,
    kernelFunc: ({ inputs, attrs }) => {
      const { weight, transposed } = attrs as unknown as FusedAttributes['FrozenLinear']
      const x = inputs.x as Tensor
      const width = x.shape.at(-1)!
      const result = transposed ? weight.columns : weight.rows
      return eager(() =>
        tf
          .matMul(x.reshape([width === 0 ? 0 : x.size / width, width]), dense(weight), false, !transposed)
          .reshape([...x.shape.slice(0, -1), result]),
      )
    },
  })
  tf.registerKernel({
    kernelName: 'FrozenRows',
    backendName,
    kernelFunc: ({ inputs, attrs }) => {
      const { weight } = attrs as unknown as FusedAttributes['FrozenRows']
      return eager(() => tf.gather(dense(weight), inputs.indices as Tensor))
    },
  })
  tf.registerKernel({
    kernelName: 'FrozenTile',
    backendName,
    kernelFunc: ({ attrs }) => {
      const { weight, start, rows } = attrs as unknown as FusedAttributes['FrozenTile']
      return eager(() => dense(rowsOf(weight, start, rows)))
    },
  })
}

const dense = (weight: FrozenWeight) => tf.tensor2d(toFloat32(weight), [weight.rows, weight.columns])

/** Runs tfjs operations inside a kernel; only the result outlives it. */
const eager = (compute: () => Tensor): TensorInfo => tf.tidy(compute)
