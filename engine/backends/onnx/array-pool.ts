import type { ElementType } from './model-proto.ts'

/** An array that holds a tensor's values on the host. */
export type HostValues = Float32Array | Int32Array | Uint8Array

/** Bytes of free arrays kept for the next graph. */
const mostBytes = 2 ** 30

export const allocate = (type: ElementType, size: number): HostValues =>
  type === 'float32' ? new Float32Array(size) : type === 'int32' ? new Int32Array(size) : new Uint8Array(size)

/** The values in the array type of `type`: the same array where it has that type. */
export function valuesOf(values: HostValues | readonly number[], type: ElementType): HostValues {
  const arrayType = type === 'float32' ? Float32Array : type === 'int32' ? Int32Array : Uint8Array
  return values instanceof arrayType ? values : arrayType.from(values)
}

/** Arrays that no tensor uses any more, kept for tensors of the same type and size. */
export class ArrayPool {
  readonly #free = new Map<string, HostValues[]>()
  #bytes = 0

  /** An array of `size` elements whose values are arbitrary. */
  take(type: ElementType, size: number): HostValues {
    const data = this.#free.get(`${type}:${size}`)?.pop()
    if (!data) return allocate(type, size)
    this.#bytes -= data.byteLength
    return data
  }

  /** Keeps an array that nobody reads any more, unless the pool is full. */
  release(data: HostValues): void {
    if (this.#bytes + data.byteLength > mostBytes) return
    const type: ElementType = data instanceof Float32Array ? 'float32' : data instanceof Int32Array ? 'int32' : 'bool'
    const key = `${type}:${data.length}`
    const free = this.#free.get(key)
    if (free) free.push(data)
    else this.#free.set(key, [data])
    this.#bytes += data.byteLength
  }

  clear(): void {
    this.#free.clear()
    this.#bytes = 0
  }
}
