import type { AttentionShape } from '../../../ops/attention.ts'
import type { CardBackend } from '../backend.ts'
import { dispatch, output, register } from '../record.ts'
import { attentionForward, keyValueGradients, queryGradients, type Tiling } from './attention-wgsl.ts'

/** Scaled dot-product attention tile by tile (Dao, arXiv 2307.08691): the score matrix is never stored. */
export function registerAttention(): void {
  register<{ shape: AttentionShape }>('Attention', ({ inputs, attributes: { shape }, backend }) => {
    const { rows, queries, heads, headSize } = shape
    const tiling = tilingFor(backend, headSize, 2)
    const context = output(backend, [rows * queries, heads * headSize])
    const logSumExp = output(backend, [rows, heads, queries])
    dispatch(
      backend,
      { key: `Attention ${tiling.tile} ${headSize}`, code: () => attentionForward(tiling) },
      [inputs.q!, inputs.k!, inputs.v!, inputs.bias!, context, logSumExp],
      uniforms(shape, inputs.bias!.shape[0]!),
      [Math.ceil(queries / tiling.tile), heads, rows],
    )
    return [context, logSumExp]
  })
  register<{ shape: AttentionShape }>('AttentionGrad', ({ inputs, attributes: { shape }, backend }) => {
    const { rows, queries, keys, heads, keyValueHeads, headSize } = shape
    const { dy, context, logSumExp, q, k, v, bias } = inputs as Record<string, NonNullable<(typeof inputs)[string]>>
    const tiling = tilingFor(backend, headSize, 3)
    const key = `${tiling.tile} ${headSize}`
    const values = uniforms(shape, bias!.shape[0]!)
    const [dq, dk, dv] = [q!, k!, v!].map((tensor) => output(backend, tensor.shape)) as [
      typeof q & object,
      typeof q & object,
      typeof q & object,
    ]
    // sum(dy * context) of each query and head, which the second pass reads.
    const delta = output(backend, [rows, heads, queries])
    dispatch(
      backend,
      { key: `queryGradients ${key}`, code: () => queryGradients(tiling) },
      [q!, k!, v!, bias!, dy!, context!, logSumExp!, dq, delta],
      values,
      [Math.ceil(queries / tiling.tile), heads, rows],
    )
    dispatch(
      backend,
      { key: `keyValueGradients ${key}`, code: () => keyValueGradients(tiling) },
      [q!, k!, v!, bias!, dy!, logSumExp!, delta, dk, dv],
      values,
      [Math.ceil(keys / tiling.tile), keyValueHeads, rows],
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

/** The widest tile of queries and keys of which `matrices` fit into a workgroup's memory, with two of scores. */
function tilingFor({ device }: CardBackend, headSize: number, matrices: number): Tiling {
  const fits = (tile: number) =>
    4 * (matrices * tile * headSize + 2 * tile * tile + 4 * tile) <= device.limits.maxComputeWorkgroupStorageSize &&
    tile * tile <= device.limits.maxComputeInvocationsPerWorkgroup
  const tile = [16, 8, 4, 2].find(fits)
  if (tile === undefined) throw new Error(`heads of ${headSize} elements are too wide for this graphics card`)
  return { tile, headSize }
}
