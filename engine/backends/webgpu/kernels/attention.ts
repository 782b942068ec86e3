import type { AttentionShape } from '../../fused-kernels.ts'
import type { CardBackend } from '../backend.ts'
import { dispatch, output, register } from '../record.ts'
import { type Tiling, workgroupBytes } from './attention-tiling.ts'
import { longAttention } from './long-attention.ts'
import { attentionForward, keyValueGradients, queryGradients } from './attention-wgsl.ts'

/** Own rows of a workgroup, of four a lane down, against columns, of four a lane across. */
const grids = {
  /** 64 queries against 32 keys. */
  queries: { down: 16, across: 8 },
  /** 4 queries against 128 keys, as when tokens are generated. */
  fewQueries: { down: 1, across: 32 },
  /** 32 keys against 64 queries: a workgroup sums two gradients, and its lanes have registers for no more. */
  keys: { down: 8, across: 16 },
}

/** Scaled dot-product attention tile by tile (Dao, arXiv 2307.08691): the score matrix is never stored. */
export function registerAttention(): void {
  register('Attention', ({ inputs, attributes: { shape }, backend }) => {
    const { rows, queries, heads, headSize } = shape
    const long = longAttention(backend, inputs, shape)
    if (long) return long
    const tiling = tilingFor(backend, headSize, queries <= 4 ? grids.fewQueries : grids.queries)
    const context = output(backend, [rows * queries, heads * headSize])
    const logSumExp = output(backend, [rows, heads, queries])
    dispatch(
      backend,
      { key: `Attention ${keyOf(tiling)}`, code: () => attentionForward(tiling) },
      [inputs.q!, inputs.k!, inputs.v!, inputs.bias!, context, logSumExp],
      uniforms(shape, inputs.bias!.shape[0]!),
      [heads, rows, tilesOf(queries, tiling)],
    )
    return [context, logSumExp]
  })
  register('AttentionGrad', ({ inputs, attributes: { shape }, backend }) => {
    const { rows, queries, keys, heads, keyValueHeads, headSize } = shape
    const { dy, context, logSumExp, q, k, v, bias } = inputs as Record<string, NonNullable<(typeof inputs)[string]>>
    const values = uniforms(shape, bias!.shape[0]!)
    const [dq, dk, dv] = [q!, k!, v!].map((tensor) => output(backend, tensor.shape)) as [
      typeof q & object,
      typeof q & object,
      typeof q & object,
    ]
    // sum(dy * context) of each query and head, which the second pass reads.
    const delta = output(backend, [rows, heads, queries])
    const ofQueries = tilingFor(backend, headSize, grids.queries)
    dispatch(
      backend,
      { key: `queryGradients ${keyOf(ofQueries)}`, code: () => queryGradients(ofQueries) },
      [q!, k!, v!, dy!, context!, bias!, logSumExp!, dq, delta],
      values,
      [heads, rows, tilesOf(queries, ofQueries)],
    )
    const ofKeys = tilingFor(backend, headSize, grids.keys)
    dispatch(
      backend,
      { key: `keyValueGradients ${keyOf(ofKeys)}`, code: () => keyValueGradients(ofKeys) },
      [q!, k!, v!, dy!, bias!, logSumExp!, delta, dk, dv],
      values,
      [keyValueHeads, rows, tilesOf(keys, ofKeys)],
    )
    backend.disposeData(delta.dataId)
    return [dq, dk, dv]
  })
}

const uniforms = ({ queries, keys, heads, keyValueHeads, causal }: AttentionShape, biasRows: number) => [
  queries,
  keys,
  heads,
  heads / keyValueHeads,
  biasRows,
  causal ? 1 : 0,
]

const keyOf = ({ down, across, depth, headSize }: Tiling) => `${down}x${across} by ${depth} of ${headSize}`
const tilesOf = (places: number, { down }: Tiling) => Math.ceil(places / (4 * down))

/**
 * The deepest tiling that fits into a workgroup's memory. Beyond a depth of 8 it would take more than a quarter of the
 * memory that most cards share among concurrent workgroups, and too few would run to hide the latency of loads.
 *
 * @throws Error where a head is too wide for the card
 */
function tilingFor({ device }: CardBackend, headSize: number, grid: { down: number; across: number }): Tiling {
  const tiling = [8, 4, 2, 1]
    .map((depth) => ({ ...grid, depth, headSize }))
    .find((candidate) => workgroupBytes(candidate) <= device.limits.maxComputeWorkgroupStorageSize)
  if (!tiling) throw new Error(`heads of ${headSize} elements are too wide for this graphics card`)
  return tiling
}
