import { endianness } from 'node:os'
import { SecateurError } from '../shared/errors.ts'
import type { StoredTensor, WeightType } from '../tensor/stored-tensor.ts'

if (endianness() !== 'LE') {
  throw new SecateurError('unsupported', 'weights are read and written on little-endian machines only')
}

/** The numbers of a tensor in float32, row-major: the same memory where it is float32 and aligned, else a copy. */
export function toFloat32({ dtype, bytes }: Pick<StoredTensor, 'dtype' | 'bytes'>): Float32Array<ArrayBuffer> {
  const { buffer, byteOffset, length } = aligned(bytes, dtype === 'float32' ? 4 : 2)
  switch (dtype) {
    case 'float32':
      return new Float32Array(buffer, byteOffset, length / 4)
    case 'float16':
      return new Float32Array(new Float16Array(buffer, byteOffset, length / 2))
    case 'bfloat16': {
      const halves = new Uint16Array(buffer, byteOffset, length / 2)
      const bits = new Uint32Array(halves.length)
      for (let i = 0; i < halves.length; i++) bits[i] = halves[i]! << 16
      return new Float32Array(bits.buffer)
    }
  }
}

/**
 * Numbers as the bytes of a type, each rounded to the nearest, ties to even. NaN stays NaN; what is too large for
 * float16 becomes infinite. float32 is not copied.
 */
export function fromFloat32(values: Float32Array, dtype: WeightType): Uint8Array {
  switch (dtype) {
    case 'float32':
      return bytesOf(values)
    case 'float16':
      return bytesOf(new Float16Array(values))
    case 'bfloat16': {
      const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
      const halves = new Uint16Array(values.length)
      for (let i = 0; i < halves.length; i++) {
        const word = bits[i]!
        const isNaN = (word & 0x7fffffff) > 0x7f800000
        // Rounding could carry a NaN over into infinity: its quiet bit is set instead.
        halves[i] = isNaN ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16
      }
      return bytesOf(halves)
    }
  }
}

/** A tensor in another type, through float32; the tensor itself where it has that type. */
export const convert = (tensor: StoredTensor, dtype: WeightType): StoredTensor =>
  tensor.dtype === dtype ? tensor : { ...tensor, dtype, bytes: fromFloat32(toFloat32(tensor), dtype) }

const bytesOf = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength)

function aligned(bytes: Uint8Array, width: number): Uint8Array<ArrayBuffer> {
  const inPlace = bytes.byteOffset % width === 0 && bytes.buffer instanceof ArrayBuffer
  return inPlace ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes)
}
