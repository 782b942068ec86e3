import { type Tensor, tf } from '../tensor/tf.ts'

/*
 * Kernels that a back end may register for itself. Each is asked for by name through `fused`; where the back end in use has
 * none, the same is computed of plain TensorFlow.js operations, so any of them may be left out. Everything is float32 unless
 * it says otherwise, row-major, and `n` stands for rows * length tokens. Results come in the order given.
 *
 * RmsNorm             x [n, size], weight [size]; epsilon -> y [n, size], inverse [n, 1] = 1 / sqrt(mean(x^2) + epsilon)
 * RmsNormGrad         dy, x [n, size], weight [size], inverse [n, 1] -> dx [n, size]
 * Rotary              x [rows, length, heads, headSize], cosine and sine [rows or 1, length, 1, headSize / 2]; back: turn by
 *                     the opposite angle, which is the gradient -> shaped as x
 * SwiGlu              gate, up -> silu(gate) * up, all of one shape
 * SwiGluGrad          dy, gate, up -> dGate, dUp
 * GeGlu, GeGluGrad    the same with GELU's tanh approximation in place of silu
 * Attention           q [rows, queries, heads, headSize], k and v [rows, keys, keyValueHeads, headSize],
 *                     bias [rows or 1, 1, queries, keys]; shape: AttentionShape -> context [rows * queries, heads * headSize]
 *                     and, if it likes, logSumExp [rows, heads, queries] of the scores. The scale is in q already.
 * AttentionGrad       dy and context [rows * queries, heads * headSize], q, k, v, bias, logSumExp where Attention gave it;
 *                     shape -> dq, dk, dv, shaped as q, k, v
 * CrossEntropy        logits [n, vocabulary], labels int32 [n] (-1: takes no part), divisor scalar -> loss scalar and, if it
 *                     likes, logSumExp [n]
 * CrossEntropyGrad    dy scalar, logits, labels, divisor, logSumExp where CrossEntropy gave it -> dLogits [n, vocabulary]
 * HeadLoss            x [n, hidden], norm [hidden], labels int32 [n], divisor scalar; weight: FrozenWeight [vocabulary, hidden],
 *                     epsilon -> the CrossEntropy of what norm and weight make of x, scalar, and its gradient dx [n, hidden]
 * LabelLogLikelihoods logits [n, vocabulary], labels int32 [n] -> log softmax(logits)[label] [n]
 * FrozenLinear        x [..., in]; weight: FrozenWeight [out, in], transposed -> x W^T [..., out], or x W where transposed
 * FrozenRows          indices int32 [...]; weight -> rows of it [..., columns]
 * FrozenTile          weight, start, rows -> rows start to start + rows of it [rows, columns]
 * LoraLinear          several projections of one x [n, in]: a<i> [rank, in], b<i> [out<i>, rank] and perhaps keep<i> [n, in]
 *                     (dropout's factor of the adapter's input); weights: FrozenWeight[], scales: number[], one for each
 *                     projection -> y<i> = x W<i>^T + scales<i> ((keep<i> x) a<i>^T) b<i>^T [n, out<i>]
 * LoraLinearGrad      dy<i> [n, out<i>], x, a<i>, b<i>, keep<i>; weights, scales -> da0, db0, da1, db1, ... and, if it likes,
 *                     narrow: what LoraLinearInputGrad would compute again
 * LoraLinearInputGrad dy<i>, a<i>, b<i>, keep<i>, narrow where LoraLinearGrad gave it; weights, scales -> dx [n, in], summed
 *                     over the projections
 * GroupImportance     a [rank, in], b [out, rank], gradientA, gradientB shaped as they; weight: FrozenWeight or Tensor
 *                     [out, in], scale, power 1 | 2, along 'rows' | 'columns' -> see `adapterImportance`: [out] or [in]
 * SumsOfSquares       x0, x1, ... of any shapes -> numbers that add up to the sum of the squares of all their elements
 * AdamWUpdate         value, first, second, gradient of one shape, scalars rate, correction, decay; beta1, beta2, epsilon
 *                     -> first, second, value after the step (see `adamStep`)
 *
 * FrozenLinear, FrozenRows and FrozenTile are what frozen weights are read through and have no composite here: every back end
 * registers them (`registerFrozenComposites` does so in terms of plain operations).
 */

/** Whether the back end in use has a fused kernel of that name. */
export const isFused = (kernelName: string): boolean => tf.getKernel(kernelName, tf.getBackend()) !== undefined

/**
 * Runs the fused kernel of that name where the back end in use has one, and otherwise the same computation made of plain
 * TensorFlow.js operations. Kernels of this kind have no gradient of their own: call this inside `differentiable`.
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
  return isFused(kernelName) ? runFused(kernelName, inputs, attributes) : composite()
}

/** Runs a kernel that the back end is known to have. */
export function runFused(kernelName: string, inputs: Record<string, Tensor>, attributes: object): Tensor[] {
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
