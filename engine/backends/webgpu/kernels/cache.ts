import { dispatch, groupsFor, output, register, sizeOf } from '../record.ts'
import { declarations, elementwise, floats } from '../wgsl.ts'
import { changeable } from './in-place.ts'

const roomCode = () => `
${declarations(floats('cache'), floats('longer'), [
  ['count', 'u32'],
  ['old', 'u32'],
  ['wide', 'u32'],
])}
${elementwise(`
  // A product with a probability of zero is zero of finite numbers alone.
  let within = index % params.wide;
  longer[index] = select(0.0, cache[index / params.wide * params.old + min(within, params.old - 1u)], within < params.old);
`)}`

const placeCode = () => `
${declarations(
  [
    ['more', 'f32'],
    ['place', 'i32'],
  ],
  floats('cache'),
  [
    ['count', 'u32'],
    ['size', 'u32'],
    ['places', 'u32'],
  ],
)}
${elementwise(`
  let row = index / params.size;
  cache[(row * params.places + u32(place[0])) * params.size + index % params.size] = more[index];
`)}`

/** Kernels of keys and values that are remembered: in memory that changes in place, so that a token copies no cache. */
export function registerCaches(): void {
  register('CacheRoom', ({ inputs, attributes: { capacity }, backend }) => {
    const cache = inputs.cache!
    const [rows, places, ...rest] = cache.shape as [number, number, number, number]
    const size = sizeOf(rest)
    const longer = output(backend, [rows, capacity, ...rest])
    const count = sizeOf(longer.shape)
    dispatch(
      backend,
      { key: 'CacheRoom', code: roomCode },
      [cache, longer],
      [count, places * size, capacity * size],
      groupsFor(count, 256),
    )
    return longer
  })
  register('CachePlace', ({ inputs, backend }) => {
    const cache = changeable(backend, inputs.cache!)
    const more = inputs.more!
    const count = sizeOf(more.shape)
    dispatch(
      backend,
      { key: 'CachePlace', code: placeCode },
      [more, inputs.place!, cache],
      [count, count / more.shape[0]!, cache.shape[1]!],
      groupsFor(count, 256),
    )
    return cache
  })
}
