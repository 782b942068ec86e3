import type { CardBackend } from './backend.ts'
import { packedMultiple } from './kernels/pack-rows.ts'
import type { Arithmetic } from './kernels/product-plan.ts'

/** Every kind of product that the card claims to support, fastest first. The last one always works. */
export function arithmeticsOf({ device, card: { info } }: CardBackend): Arithmetic[] {
  const half = device.features.has('shader-f16')
  return [
    ...(half ? matrixArithmetics(device, info) : []),
    ...(half ? [{ kind: 'tiled', type: 'f16' } as const] : []),
    { kind: 'tiled', type: 'f32' },
  ]
}

interface MatrixConfig {
  componentType: string
  resultComponentType: string
  M: number
  N: number
  K: number
}

function matrixArithmetics(device: GPUDevice, info: GPUAdapterInfo): Arithmetic[] {
  const { subgroupMinSize, subgroupMaxSize } = info
  const configs = (info as unknown as { subgroupMatrixConfigs?: MatrixConfig[] }).subgroupMatrixConfigs ?? []
  const known = device.features.has('chromium-experimental-subgroup-matrix' as GPUFeatureName)
  // The kernels require that every subgroup of a workgroup is full and that all have one size.
  if (!known || !subgroupMinSize || subgroupMinSize !== subgroupMaxSize) return []
  return configs
    .filter(
      ({ componentType, resultComponentType, M, N, K }) =>
        componentType === 'f16' &&
        resultComponentType === 'f32' &&
        // Tiles are staged, and packed rows padded, in eights. Larger matrices do not fit into registers.
        [M, N, K].every((size) => size % 8 === 0 && size <= 16) &&
        packedMultiple % (2 * K) === 0,
    )
    .toSorted((one, other) => other.M * other.N - one.M * one.N)
    .slice(0, 1)
    .map(({ M, N, K }): Arithmetic => {
      // Measured on an H200, whose matrices are 16 by 16; smaller ones are left as they were.
      const across = M * N >= 256 ? 2 : 4
      return { kind: 'matrix', m: M, n: N, k: K, subgroup: subgroupMinSize, across }
    })
}

export const nameOf = (arithmetic: Arithmetic): 'matrix' | 'f16' | 'f32' =>
  arithmetic.kind === 'matrix' ? 'matrix' : arithmetic.type

const chosen = new WeakMap<CardBackend, Arithmetic>()

/** How products with frozen weights are multiplied on this card: see `chooseArithmetic`. */
export const arithmeticOf = (backend: CardBackend): Arithmetic => chosen.get(backend)!

export function setArithmetic(backend: CardBackend, arithmetic: Arithmetic): void {
  chosen.set(backend, arithmetic)
}
