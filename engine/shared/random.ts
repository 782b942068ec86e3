/** Everything that a generator needs to go on where it stopped: four words of 32 bits, not all zero. */
export type RandomState = readonly [number, number, number, number]

/**
 * A seeded stream of random numbers. Every random choice of a run comes from one of these, so that the same seed gives
 * the same run on every machine.
 *
 * xoshiro128** by Blackman and Vigna ("Scrambled linear pseudorandom number generators", 2021;
 * prng.di.unimi.it/xoshiro128starstar.c), its state filled by splitmix32 (the 32-bit finaliser of MurmurHash3 over a
 * Weyl sequence).
 */
export class Random {
  #a: number
  #b: number
  #c: number
  #d: number

  /** `seed`: any finite number; its low 64 bits as a whole number count. */
  constructor(seed: number) {
    const next = splitmix32(seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0)
    ;[this.#a, this.#b, this.#c, this.#d] = [next(), next(), next(), (next() | 1) >>> 0]
  }

  /** A generator that goes on from a saved state. Throws RangeError where that cannot be one. */
  static restore(state: RandomState): Random {
    if (state.length !== 4 || !state.every(isWord) || state.every((word) => word === 0)) {
      throw new RangeError('a random state is four 32-bit words that are not all zero')
    }
    const random = new Random(0)
    ;[random.#a, random.#b, random.#c, random.#d] = state
    return random
  }

  state(): RandomState {
    return [this.#a, this.#b, this.#c, this.#d]
  }

  /** The next 32 random bits as an integer from 0 to 2^32 - 1. */
  bits(): number {
    const result = Math.imul(rotateLeft(Math.imul(this.#b, 5), 7), 9) >>> 0
    const shifted = this.#b << 9
    this.#c ^= this.#a
    this.#d ^= this.#b
    this.#b = (this.#b ^ this.#c) >>> 0
    this.#a = (this.#a ^ this.#d) >>> 0
    this.#c = (this.#c ^ shifted) >>> 0
    this.#d = rotateLeft(this.#d, 11) >>> 0
    return result
  }

  /** Uniform in [0, 1), with all 53 bits of a double random. */
  uniform(): number {
    const high = this.bits() >>> 5
    const low = this.bits() >>> 6
    return (high * 2 ** 26 + low) / 2 ** 53
  }

  /**
   * Standard normal (mean 0, variance 1), by Box and Muller's method. Each call takes two uniform numbers and keeps no
   * second value, so that `state` is the whole state.
   */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform())
  }

  /** Uniform integer from 0 to n - 1, without bias (rejection). `n`: 1 to 2^32. */
  integer(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > 2 ** 32) throw new RangeError(`integer(n) needs 1 <= n <= 2^32, not ${n}`)
    const fair = 2 ** 32 - (2 ** 32 % n)
    let bits = this.bits()
    while (bits >= fair) bits = this.bits()
    return bits % n
  }

  /** The numbers 0 to n - 1 in random order (Fisher and Yates), each order equally likely. */
  permutation(n: number): Uint32Array {
    const order = Uint32Array.from({ length: n }, (_, index) => index)
    for (let last = n - 1; last > 0; last--) {
      const other = this.integer(last + 1)
      const kept = order[last]!
      order[last] = order[other]!
      order[other] = kept
    }
    return order
  }

  /**
   * Another stream, a function of this stream's state and of the label. Takes nothing from this one, so that adding a
   * fork somewhere changes no other random choice: fork at one place by different labels.
   */
  fork(label: string): Random {
    // FNV-1a over the UTF-16 units, spread over every word of the state.
    let hash = 0x811c9dc5
    for (let index = 0; index < label.length; index++) hash = Math.imul(hash ^ label.charCodeAt(index), 0x01000193)
    const next = splitmix32(hash, label.length)
    const [a, b, c, d] = this.state()
    return Random.restore([mix32(a ^ next()), mix32(b ^ next()), mix32(c ^ next()), (mix32(d ^ next()) | 1) >>> 0])
  }
}

const isWord = (word: number) => Number.isInteger(word) && word >= 0 && word < 2 ** 32

const rotateLeft = (word: number, by: number) => (word << by) | (word >>> (32 - by))

/** Ids of random tokens, for what does not depend on which they are. */
export const randomIds = (random: Random, length: number, vocabularySize: number): number[] =>
  Array.from({ length }, () => random.integer(vocabularySize))

/** Well-mixed 32-bit words from two words of seed. */
function splitmix32(low: number, high: number): () => number {
  let counter = mix32(high ^ 0x9e3779b9) ^ low
  return () => {
    counter = (counter + 0x9e3779b9) | 0
    return mix32(counter)
  }
}

/** The 32-bit finaliser of MurmurHash3 (Appleby, public domain): a bijection in which every bit affects every other. */
function mix32(word: number): number {
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b)
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35)
  return (word ^ (word >>> 16)) >>> 0
}
