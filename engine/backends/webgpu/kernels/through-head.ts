import type { TensorInfo } from '../../../tensor/tf.ts'
import type { FusedAttributes } from '../../fused-kernels.ts'
import type { CardBackend } from '../backend.ts'
import { groupsFor, type Groups, output, type Uniform } from '../record.ts'
import { lanesFor } from '../wgsl.ts'
import { lossOf } from './cross-entropy.ts'
import { product } from './product.ts'
import { rmsNorm, rmsNormGradient } from './rms-norm.ts'

/** Logits of a head: whoever is given them makes their gradient of them where they lie. */
export interface HeadLogits {
  logits: TensorInfo
  /** Where each row's part of the loss goes, its sign changed: [rows]. */
  likelihood: TensorInfo
  /** Rows, classes and the divisor of the mean, as uniforms of a kernel. */
  uniforms: Uniform[]
  /** Lanes of a row, and a workgroup for each. */
  lanes: number
  groups: Groups
}

/**
 * From the last block's output through norm and head to a loss of the logits, and back.
 *
 * @returns the loss and its gradient with respect to x
 */
export function throughHead(
  backend: CardBackend,
  { x, norm }: Record<string, TensorInfo>,
  { weight, epsilon }: FusedAttributes['HeadLoss'],
  divisor: { float: number },
  makeGradient: (head: HeadLogits) => void,
): TensorInfo[] {
  const rows = x!.shape[0]!
  const [normed, inverse] = rmsNorm(backend, x!, norm!, epsilon)
  const logits = product(backend, normed, weight, { transposed: false })
  backend.disposeData(normed.dataId)
  const likelihood = output(backend, [rows])
  makeGradient({
    logits,
    likelihood,
    uniforms: [rows, weight.rows, divisor],
    lanes: lanesFor(weight.rows),
    groups: groupsFor(rows, 1),
  })
  const dNormed = product(backend, logits, weight, { transposed: true })
  backend.disposeData(logits.dataId)
  const gradient = rmsNormGradient(backend, dNormed, x!, norm!, inverse)
  backend.disposeData(dNormed.dataId)
  backend.disposeData(inverse.dataId)
  return [lossOf(backend, likelihood, divisor), gradient]
}
