import { frozenFloats, toFloat32 } from '../../frozen-weight.ts'
import { tf } from '../../tf.ts'
import { type CardBackend, readTensor } from './backend.ts'
import { product } from './kernels/product.ts'
import { type Arithmetic, tileSize } from './kernels/product-wgsl.ts'

/** Forces a way to multiply, for tests and comparisons: `matrix`, `f16` or `f32`. */
const variable = 'SECATEUR_GPU_ARITHMETIC'

/** Every way to multiply that the card claims to know, fastest first; the last one always works. */
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
  // The kernels count on every subgroup of a workgroup being full and of one size.
  if (!known || !subgroupMinSize || subgroupMinSize !== subgroupMaxSize) return []
  return configs
    .filter(
      ({ componentType, resultComponentType, M, N, K }) =>
        componentType === 'f16' &&
        resultComponentType === 'f32' &&
        16 % K === 0 &&
        [M, N].every((size) => (tileSize / 2) % size === 0),
    )
    .toSorted((one, other) => other.M * other.N - one.M * one.N)
    .slice(0, 1)
    .map(({ M, N, K }): Arithmetic => ({ kind: 'matrix', m: M, n: N, k: K, subgroup: subgroupMinSize }))
}

const chosen = new WeakMap<CardBackend, Arithmetic>()

/** How products with frozen weights are multiplied on this card: the fastest way that passes its test, found at first use. */
export function arithmeticOf(backend: CardBackend): Arithmetic {
  let arithmetic = chosen.get(backend)
  if (!arithmetic) {
    const wanted = process.env[variable]
    const all = arithmeticsOf(backend).filter((one) => !wanted || nameOf(one) === wanted)
    arithmetic = all.find((one) => passes(backend, one))
    if (!arithmetic)
      throw new Error(
        wanted
          ? `${variable}=${wanted}: this graphics card has no such products, or computes them wrongly`
          : 'this graphics card computes products wrongly',
      )
    chosen.set(backend, arithmetic)
  }
  return arithmetic
}

export const nameOf = (arithmetic: Arithmetic): 'matrix' | 'f16' | 'f32' =>
  arithmetic.kind === 'matrix' ? 'matrix' : arithmetic.type

/** Forgets what was chosen and takes this from now on. */
export function setArithmetic(backend: CardBackend, arithmetic: Arithmetic): void {
  chosen.set(backend, arithmetic)
}

/** Whether a product with ragged edges comes out right, forward and transposed, large and tiny rows in one. */
function passes(backend: CardBackend, arithmetic: Arithmetic): boolean {
  const [m, n, k] = [37, 70, 52]
  const weight = frozenFloats(
    Float32Array.from({ length: n * k }, (_, i) => Math.sin(i * 0.7) / 8),
    n,
    k,
  )
  const values = toFloat32(weight)
  // Rows of very different size, as gradients have them.
  const magnitude = (row: number) => 10 ** ((row % 9) - 6)
  try {
    for (const transposed of [false, true]) {
      const [width, results] = transposed ? [n, k] : [k, n]
      const x = Float32Array.from({ length: m * width }, (_, i) => Math.cos(i * 0.3) * magnitude(Math.floor(i / width)))
      const tensor = tf.tensor2d(x, [m, width])
      const y = product(backend, tensor, weight, { transposed, arithmetic })
      const got = readTensor(backend, y)
      backend.disposeData(y.dataId)
      tensor.dispose()
      for (let row = 0; row < m; row++)
        for (let column = 0; column < results; column++) {
          let expected = 0
          for (let d = 0; d < width; d++)
            expected += x[row * width + d]! * values[transposed ? d * k + column : column * k + d]!
          // 16-bit floats round each factor to 2^-11 of itself.
          if (!(Math.abs(got[row * results + column]! - expected) <= 5e-3 * magnitude(row))) return false
        }
    }
    return true
  } catch {
    // The driver does not compile it; whatever else it has to say about that is of no interest.
    backend.card.forget()
    return false
  }
}
