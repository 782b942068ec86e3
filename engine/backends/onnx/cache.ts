import { registerFused } from './kernel.ts'

/** Kernels of keys and values that are remembered. They compute on the host, in memory that changes in place. */
export function registerCaches(): void {
  registerFused('CacheRoom', ({ inputs, attributes: { capacity }, backend }) => {
    const cache = inputs.cache!
    const [rows, places, ...rest] = cache.shape as [number, number, number, number]
    const values = backend.floats(cache)
    const { tensor, data } = backend.blankCache([rows, capacity, ...rest])
    const [from, to] = [values.length / rows, data.length / rows]
    for (let row = 0; row < rows; row++) {
      data.set(values.subarray(row * from, (row + 1) * from), row * to)
      // A product with a probability of zero is zero of finite numbers alone.
      data.fill(0, row * to + places * (from / places), (row + 1) * to)
    }
    return tensor
  })
  registerFused('CachePlace', ({ inputs, backend }) => {
    const { cache, more } = inputs
    const place = backend.readSync(inputs.place!.dataId)[0]!
    const [rows, places] = cache!.shape as [number, number]
    const [values, added] = [backend.floats(cache!), backend.floats(more!)]
    const size = added.length / rows
    for (let row = 0; row < rows; row++)
      values.set(added.subarray(row * size, (row + 1) * size), (row * places + place) * size)
    return backend.alias(cache!)
  })
}
