const words = 624
const middle = 397

/**
 * CPython's `random.Random` seeded with a whole number: the same choices in the same order, so that published runs that
 * drew rows or examples with it can be repeated.
 *
 * MT19937 by Matsumoto and Nishimura ("Mersenne Twister", 1998) with their init_by_array seeding; `below`, `shuffle` and
 * `sample` follow what CPython's documentation of the random module fixes since version 3.2.
 */
export class PythonRandom {
  readonly #state = new Uint32Array(words)
  #next = words

  /** `seed`: a safe integer; like Python, its sign does not count. */
  constructor(seed: number) {
    if (!Number.isSafeInteger(seed)) throw new RangeError(`a seed is a whole number, not ${seed}`)
    const size = Math.abs(seed)
    const high = Math.floor(size / 2 ** 32)
    this.#fill(high === 0 ? [size] : [size >>> 0, high])
  }

  /** The next `count` random bits (1 to 32) as an integer: Python's `getrandbits`. */
  bits(count: number): number {
    if (this.#next === words) this.#twist()
    let word = this.#state[this.#next++]!
    word ^= word >>> 11
    word ^= (word << 7) & 0x9d2c5680
    word ^= (word << 15) & 0xefc60000
    word ^= word >>> 18
    return word >>> (32 - count)
  }

  /** Uniform in [0, 1): Python's `random()`. */
  uniform(): number {
    return (this.bits(27) * 2 ** 26 + this.bits(26)) / 2 ** 53
  }

  /** Uniform integer from 0 to n - 1, n at most 2^31: Python's `randrange(n)`. */
  below(n: number): number {
    const bits = 32 - Math.clz32(n)
    let value = this.bits(bits)
    while (value >= n) value = this.bits(bits)
    return value
  }

  /** Python's `shuffle`, in place. */
  shuffle<T>(list: T[]): void {
    for (let last = list.length - 1; last > 0; last--) {
      const other = this.below(last + 1)
      const kept = list[last]!
      list[last] = list[other]!
      list[other] = kept
    }
  }

  /** Python's `sample(range(n), count)`: `count` different numbers below n, in the order they are drawn. */
  sample(n: number, count: number): number[] {
    if (!(count >= 0 && count <= n)) throw new RangeError(`${count} of ${n} cannot be drawn`)
    // Python decides by the size that a set of the drawn ones would have.
    const setSize = 21 + (count > 5 ? 4 ** Math.ceil(Math.log(count * 3) / Math.log(4)) : 0)
    return n <= setSize ? this.#sampleFromPool(n, count) : this.#sampleBySet(n, count)
  }

  #sampleFromPool(n: number, count: number): number[] {
    const pool = Array.from({ length: n }, (_, index) => index)
    return Array.from({ length: count }, (_, drawn) => {
      const at = this.below(n - drawn)
      const value = pool[at]!
      pool[at] = pool[n - drawn - 1]!
      return value
    })
  }

  #sampleBySet(n: number, count: number): number[] {
    const drawn = new Set<number>()
    while (drawn.size < count) drawn.add(this.below(n))
    return [...drawn]
  }

  #fill(key: readonly number[]): void {
    const state = this.#state
    state[0] = 19650218
    for (let index = 1; index < words; index++) {
      state[index] = Math.imul(1812433253, mixed(state[index - 1]!)) + index
    }
    let at = 1
    const step = () => {
      at++
      if (at < words) return
      state[0] = state[words - 1]!
      at = 1
    }
    for (let turn = 0; turn < words; turn++) {
      const part = turn % key.length
      state[at] = (state[at]! ^ Math.imul(mixed(state[at - 1]!), 1664525)) + key[part]! + part
      step()
    }
    for (let turn = 0; turn < words - 1; turn++) {
      state[at] = (state[at]! ^ Math.imul(mixed(state[at - 1]!), 1566083941)) - at
      step()
    }
    state[0] = 0x80000000
  }

  #twist(): void {
    const state = this.#state
    for (let index = 0; index < words; index++) {
      const word = (state[index]! & 0x80000000) | (state[(index + 1) % words]! & 0x7fffffff)
      state[index] = state[(index + middle) % words]! ^ (word >>> 1) ^ (word & 1 ? 0x9908b0df : 0)
    }
    this.#next = 0
  }
}

const mixed = (word: number) => word ^ (word >>> 30)
