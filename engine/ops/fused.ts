import type { FusedAttributes, FusedKernel } from '../backends/fused-kernels.ts'
import { type Tensor, tf } from '../tensor/tf.ts'

/** Whether the back end in use has a fused kernel of that name. */
export const isFused = (kernelName: FusedKernel): boolean => tf.getKernel(kernelName, tf.getBackend()) !== undefined

/**
 * Runs the fused kernel of that name where the back end in use has one, and otherwise the same computation made of plain
 * TensorFlow.js operations (`engine/backends/fused-kernels.ts` lists the kernels). Such a kernel has no gradient of its own:
 * call this inside `differentiable`.
 *
 * @param inputs tensors by the names that the kernel reads
 * @param attributes what else it reads: numbers, flags, frozen weights
 */
export function fused<Name extends FusedKernel>(
  kernelName: Name,
  inputs: Record<string, Tensor>,
  attributes: FusedAttributes[Name],
  composite: () => Tensor[],
): Tensor[] {
  return isFused(kernelName) ? runFused(kernelName, inputs, attributes) : composite()
}

/** Runs a kernel that the back end is known to have. */
export function runFused<Name extends FusedKernel>(
  kernelName: Name,
  inputs: Record<string, Tensor>,
  attributes: FusedAttributes[Name],
): Tensor[] {
  const results = tf.engine().runKernel(kernelName, inputs, attributes as never) as Tensor | Tensor[]
  return Array.isArray(results) ? results : [results]
}

interface GradientEngine {
  runKernelFunc(operation: {
    inputs: Record<string, Tensor>
    forwardFunc: (backend: unknown, save: (tensors: Tensor[]) => void) => Tensor[]
    backwardsFunc: (dy: Tensor | Tensor[], saved: Tensor[]) => Record<string, () => Tensor>
  }): Tensor[]
}

/**
 * An operation with a gradient of its own. Unlike `tf.customGrad` it may have several results, and the gradient of an input
 * is computed only where somebody wants it: that of a frozen norm never is.
 *
 * @param forward the results; what it saves is handed to `gradients`
 * @param gradients for the results' gradients and what was saved: a function an input
 */
export function differentiable(
  inputs: Record<string, Tensor>,
  forward: (save: (tensors: Tensor[]) => void) => Tensor[],
  gradients: (dy: Tensor[], saved: Tensor[]) => Record<string, () => Tensor>,
): Tensor[] {
  // tf.customGrad is a thin cover of this same function, which its types call private.
  const engine = tf.engine() as unknown as GradientEngine
  return engine.runKernelFunc({
    inputs,
    forwardFunc: (_, save) => forward(save),
    backwardsFunc: (dy, saved) => gradients(Array.isArray(dy) ? dy : [dy], saved),
  })
}
