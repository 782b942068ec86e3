import { badFile } from '../shared/errors.ts'
import { toFloat32 } from './dtype.ts'
import type { StoredTensor, WeightType } from '../tensor/stored-tensor.ts'
import { bytesPerValue } from './safetensors-header.ts'

/** Bits of the exponent. A number is NaN or infinite where all of them are set. */
const exponents: Record<WeightType, number> = { float32: 0x7f800000, float16: 0x7c00, bfloat16: 0x7f80 }

/**
 * Throws where a weight is NaN or infinite, naming the file, the tensor and the place within it.
 *
 * @param firstRow of the tensor's rows in the file, where these are some of them
 */
export function checkFinite(file: string, tensor: StoredTensor, firstRow = 0): void {
  const index = firstNonFinite(tensor)
  if (index === -1) return
  const width = bytesPerValue(tensor.dtype)
  const value = toFloat32({ ...tensor, bytes: tensor.bytes.slice(index * width, (index + 1) * width) })[0]!
  const [row, ...rest] = placeOf(index, tensor.shape)
  throw badFile(
    file,
    tensor.name,
    `holds ${value} at [${[row! + firstRow, ...rest]}]; every weight must be a finite number. ` +
      `The file is damaged or comes from training that diverged`,
  )
}

/** Index of the first value that is NaN or infinite, or -1. */
export function firstNonFinite({ dtype, bytes }: Pick<StoredTensor, 'dtype' | 'bytes'>): number {
  const width = bytesPerValue(dtype)
  const source = bytes.byteOffset % width === 0 ? bytes : bytes.slice()
  const place = [source.buffer, source.byteOffset, source.length / width] as const
  const bits = width === 4 ? new Uint32Array(...place) : new Uint16Array(...place)
  const exponent = exponents[dtype]
  for (let i = 0; i < bits.length; i++) if ((bits[i]! & exponent) === exponent) return i
  return -1
}

function placeOf(index: number, shape: readonly number[]): number[] {
  const place: number[] = []
  let rest = index
  for (const length of shape.toReversed()) {
    place.unshift(rest % length)
    rest = Math.floor(rest / length)
  }
  return place
}
