import type { TensorInfo } from '../../../tensor/tf.ts'
import type { AttentionShape } from '../../fused-kernels.ts'
import type { CardBackend } from '../backend.ts'
import { dispatch, output } from '../record.ts'
import { combineCode, type HeadGroup, lanes, pieceBytes, pieceCode } from './long-attention-wgsl.ts'

/** Keys up to which one workgroup a head does: two dispatches are no gain then. */
const mostOfOne = 64
/** Query heads of a workgroup at most; as many as a vector has members. */
const mostShared = 4

/** The heads that a workgroup takes together, where attention of this shape is worth splitting; null where it is not. */
function groupOf({ device }: CardBackend, shape: AttentionShape): HeadGroup | null {
  const { queries, keys, heads, keyValueHeads, headSize } = shape
  if (queries > 1 || keys <= mostOfOne || headSize % 4 !== 0 || headSize > 4 * lanes) return null
  const shared = heads / keyValueHeads
  const group = { heads: Math.ceil(shared / Math.ceil(shared / mostShared)), headSize }
  return pieceBytes(group) <= device.limits.maxComputeWorkgroupStorageSize ? group : null
}

/**
 * Attention of one query a row over many keys, as of a token that is generated: pieces of the keys are workgroups of their own,
 * so that a card is filled although there are few heads, and a second dispatch puts together what they found (Dao and others,
 * "Flash-Decoding for long-context inference", 2023). Query heads that share keys take them together, so that these are read
 * once. How many pieces there are depends on the capacity of the cache, which a token that is sent again does not change; a
 * piece that nothing looks at ends as soon as it has read the bias.
 *
 * @returns context and logSumExp as the kernel `Attention` does, or null where the shape is for one workgroup a head
 */
export function longAttention(
  backend: CardBackend,
  { q, k, v, bias }: Record<string, TensorInfo>,
  shape: AttentionShape,
): [context: TensorInfo, logSumExp: TensorInfo] | null {
  const group = groupOf(backend, shape)
  if (!group) return null
  const { rows, keys, heads, keyValueHeads, headSize } = shape
  const pieces = Math.ceil(keys / lanes)
  const groups = Math.ceil(heads / keyValueHeads / group.heads)
  const sums = output(backend, [rows, heads, pieces, headSize])
  // The largest score of a piece, and the sum of all measured from it.
  const statistics = output(backend, [rows, heads, pieces, 2])
  dispatch(
    backend,
    { key: `attentionPiece ${group.heads} of ${headSize}`, code: () => pieceCode(group) },
    [q!, k!, v!, bias!, sums, statistics],
    [keys, heads, heads / keyValueHeads, groups, bias!.shape[0]!],
    [keyValueHeads * groups, rows, pieces],
  )
  const context = output(backend, [rows, heads * headSize])
  const logSumExp = output(backend, [rows, heads, 1])
  dispatch(
    backend,
    { key: `attentionPieces ${headSize}`, code: () => combineCode(headSize) },
    [sums, statistics, context, logSumExp],
    [heads, pieces],
    [heads, rows],
  )
  backend.disposeData(sums.dataId)
  backend.disposeData(statistics.dataId)
  return [context, logSumExp]
}
