import { type Tensor, tf } from '../tf.ts'

/**
 * Runs the fused kernel of that name where the back end in use has one, and otherwise the same computation made of plain
 * TensorFlow.js operations. Kernels of this kind have no gradient of their own: call this inside `tf.customGrad`.
 *
 * @param inputs tensors by the names that the kernel reads
 * @param attributes what else it reads: numbers, flags, frozen weights
 */
export function fused(
  kernelName: string,
  inputs: Record<string, Tensor>,
  attributes: object,
  composite: () => Tensor[],
): Tensor[] {
  if (!tf.getKernel(kernelName, tf.getBackend())) return composite()
  const results = tf.engine().runKernel(kernelName, inputs, attributes as never) as Tensor | Tensor[]
  return Array.isArray(results) ? results : [results]
}
