import { type Tensor, type Tensor1D, tf } from '../tensor/tf.ts'
import { fused, isFused } from './fused.ts'

/** Whether longer arrays of keys and values cost no more than their memory: elsewhere each length compiles a graph. */
export const hasCheapRoom = (): boolean => isFused('CacheRoom')

/** Keys or values [rows, places, heads, headSize] with room for more of them: what is new holds anything finite. */
export function withRoom(cache: Tensor, capacity: number): Tensor {
  const more = capacity - cache.shape[1]!
  const around: [number, number][] = [0, more, 0, 0].map((after) => [0, after])
  return fused('CacheRoom', { cache }, { capacity }, () => [tf.pad(cache, around)])[0]!
}

/**
 * The cache with what belongs at a place [rows, 1, heads, headSize] in it, perhaps in the same memory: the one given is over.
 *
 * @param place int32 [1]
 */
export function withPlace(cache: Tensor, more: Tensor, place: Tensor): Tensor {
  return fused('CachePlace', { cache, more, place }, {}, () => {
    const here = tf.reshape(tf.oneHot(place as Tensor1D, cache.shape[1]!, 1, 0, 'float32'), [1, -1, 1, 1])
    // What stands there is zero.
    return [tf.add(cache, tf.mul(more, here))]
  })[0]!
}
