import { frozenFloats } from '../../tensor/frozen-weight.ts'
import { arithmeticsOf, nameOf } from './arithmetic.ts'
import { type CardBackend, readTensor } from './backend.ts'
import { product } from './kernels/product.ts'
import type { Arithmetic } from './kernels/product-plan.ts'
import { weightsOf } from './weights.ts'

/** Forces a way to multiply, for tests and comparisons: `matrix`, `f16` or `f32`. */
const variable = 'SECATEUR_GPU_ARITHMETIC'

/**
 * The fastest kind of product that this card computes correctly, found by trying.
 *
 * @throws Error where there is none.
 */
export function chooseArithmetic(backend: CardBackend): Arithmetic {
  const wanted = process.env[variable]
  const candidates = arithmeticsOf(backend).filter((arithmetic) => !wanted || nameOf(arithmetic) === wanted)
  const found = candidates.find((arithmetic) => multipliesRightly(backend, arithmetic))
  if (found) return found
  throw new Error(
    wanted
      ? `${variable}=${wanted}: this graphics card has no such products, or computes them wrongly`
      : 'this graphics card computes wrong products',
  )
}

const rows = 37
/** Weights whose rows begin at multiples of eight elements, and weights whose rows do not. */
const shapes = [
  [70, 52],
  [136, 72],
] as const
/** Rows of very different size, as gradients have them. */
const magnitude = (row: number) => 10 ** ((row % 9) - 6)

/** Whether products whose sizes are no multiples of a tile's are right, forward and transposed. */
export function multipliesRightly(backend: CardBackend, arithmetic: Arithmetic): boolean {
  try {
    return shapes.every((shape) => [false, true].every((transposed) => isRight(backend, arithmetic, shape, transposed)))
  } catch {
    // The driver does not compile it. Its further errors are ignored.
    backend.card.forget()
    return false
  }
}

function isRight(
  backend: CardBackend,
  arithmetic: Arithmetic,
  [outputs, inputs]: readonly [number, number],
  transposed: boolean,
): boolean {
  const values = Float32Array.from({ length: outputs * inputs }, (_, i) => Math.sin(i * 0.7) / 8)
  const weight = frozenFloats(values, outputs, inputs)
  const [width, results] = transposed ? [outputs, inputs] : [inputs, outputs]
  const x = Float32Array.from({ length: rows * width }, (_, i) => Math.cos(i * 0.3) * magnitude(Math.floor(i / width)))
  const tensor = backend.makeTensorInfo([rows, width], 'float32', x)
  const y = product(backend, tensor, weight, { transposed, arithmetic })
  const got = readTensor(backend, y)
  backend.disposeData(y.dataId)
  backend.disposeData(tensor.dataId)
  weightsOf(backend).delete(weight.id)
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < results; column++) {
      let expected = 0
      for (let d = 0; d < width; d++)
        expected += x[row * width + d]! * values[transposed ? d * inputs + column : column * inputs + d]!
      // 16-bit floats round each factor to 2^-11 of itself. NaN is not within anything.
      const within = Math.abs(got[row * results + column]! - expected) <= 5e-3 * magnitude(row)
      if (!within) return false
    }
  return true
}
