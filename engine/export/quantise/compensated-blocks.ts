import { putHalf, rounded16 } from './blocks.ts'
import type { Feedback } from './feedback.ts'
import { fitSymmetric } from './symmetric-fit.ts'

/** Types of 32 numbers with one scale, x = scale * code, by how far below zero codes go. */
const offsets = { Q4_0: 8, Q5_0: 16, Q8_0: 128 } as const
const blockBytes = { Q4_0: 18, Q5_0: 22, Q8_0: 34 } as const
export type SymmetricType = keyof typeof offsets

export const isSymmetric = (type: string): type is SymmetricType => Object.hasOwn(offsets, type)
const block = 32

/** Times that every code and scale of a row is looked at again, once all are there: the second gains a third as much. */
const rounds = 1

/**
 * Rows as blocks whose scales are chosen for a small error of what the layer gives, clipped where that helps; the error of
 * every number is made up for by those after it in its row (GPTQ), and then by all others: each code and each scale in turn
 * becomes the best one for what the others are (coordinate descent, as in QuantEase, arXiv 2309.01885).
 */
export function encodeCompensated(x: Float32Array, out: Uint8Array, type: SymmetricType, feedback: Feedback): void {
  const { size } = feedback
  const bytes = blockBytes[type]
  const rounder = new RowRounder(feedback, offsets[type])
  let place = 0
  for (let first = 0; first < x.length; first += size) {
    rounder.round(x.subarray(first, first + size))
    for (let at = 0; at < size; at += block, place += bytes) {
      putHalf(out, place, rounder.scales[at / block]!)
      putCodes(out, place + 2, rounder.codes.subarray(at, at + block), type)
    }
  }
}

/** Rounds rows one after another, in the same memory. */
class RowRounder {
  /** Of the row that was rounded last. */
  readonly codes: Int16Array
  readonly scales: Float32Array
  readonly #feedback: Feedback
  readonly #offset: number
  readonly #row: Float32Array
  readonly #left: Float32Array
  /** What a change of each feature would change the error by: (row - rounded) H. */
  readonly #slopes: Float64Array
  readonly #changes = new Float64Array(block)

  constructor(feedback: Feedback, offset: number) {
    this.#feedback = feedback
    this.#offset = offset
    const { size } = feedback
    this.codes = new Int16Array(size)
    this.scales = new Float32Array(size / block)
    this.#row = new Float32Array(size)
    this.#left = new Float32Array(size)
    this.#slopes = new Float64Array(size)
  }

  round(x: Float32Array): void {
    this.#row.set(x)
    this.#forward()
    this.#takeSlopes()
    for (let round = 0; round < rounds; round++)
      for (let at = 0; at < this.#feedback.size; at += block) {
        this.#improveCodes(at)
        this.#improveScale(at)
      }
  }

  /** Every code from the first to the last; those that follow make up for its error. */
  #forward(): void {
    const { size, factors, weights } = this.#feedback
    const [left, row, codes] = [this.#left, this.#row, this.codes]
    left.set(row)
    for (let at = 0; at < size; at += block) {
      const scale = rounded16(fitSymmetric(left, weights, at, block, this.#offset, true))
      this.scales[at / block] = scale
      for (let k = at; k < at + block; k++) {
        const code = this.#nearest(left[k]!, scale)
        codes[k] = code
        // Of the weight itself: what is left has beside it makes up for earlier errors.
        const error = row[k]! - scale * code
        const from = k * size
        if (error !== 0) for (let m = k + 1; m < size; m++) left[m]! += error * factors[from + m]!
      }
    }
  }

  #takeSlopes(): void {
    this.#slopes.fill(0)
    for (let at = 0; at < this.#feedback.size; at += block) {
      const scale = this.scales[at / block]!
      for (let i = 0; i < block; i++) this.#changes[i] = this.#row[at + i]! - scale * this.codes[at + i]!
      this.#addBlock(at)
    }
  }

  /** Adds what the changes of a block's numbers add to the slopes of all; four at once, for less comes and goes. */
  #addBlock(at: number): void {
    const [slopes, changes] = [this.#slopes, this.#changes]
    const { size, products } = this.#feedback
    for (let i = 0; i < block; i += 4) {
      const [a, b, c, d] = [changes[i]!, changes[i + 1]!, changes[i + 2]!, changes[i + 3]!]
      const from = (at + i) * size
      const [second, third, fourth] = [from + size, from + 2 * size, from + 3 * size]
      for (let m = 0; m < size; m++)
        slopes[m]! +=
          a * products[from + m]! + b * products[second + m]! + c * products[third + m]! + d * products[fourth + m]!
    }
  }

  #improveCodes(at: number): void {
    const { size, products } = this.#feedback
    const slopes = this.#slopes
    const scale = this.scales[at / block]!
    if (scale === 0) return
    for (let k = at; k < at + block; k++) {
      const own = this.codes[k]!
      const best = this.#nearest(scale * own + slopes[k]! / products[k * size + k]!, scale)
      if (best === own) continue
      this.codes[k] = best
      const change = scale * (own - best)
      const from = k * size
      for (let m = 0; m < size; m++) slopes[m]! += change * products[from + m]!
    }
  }

  /** The scale with the least error for the block's codes (least squares). */
  #improveScale(at: number): void {
    const { size, products } = this.#feedback
    const { codes } = this
    let [square, slope] = [0, 0]
    for (let k = at; k < at + block; k++) {
      const code = codes[k]!
      if (code === 0) continue
      slope += code * this.#slopes[k]!
      let sum = 0
      for (let m = at; m < at + block; m++) sum += codes[m]! * products[k * size + m]!
      square += code * sum
    }
    if (!(square > 0)) return
    const old = this.scales[at / block]!
    const scale = rounded16(old + slope / square)
    if (scale === old) return
    this.scales[at / block] = scale
    for (let i = 0; i < block; i++) this.#changes[i] = (old - scale) * codes[at + i]!
    this.#addBlock(at)
  }

  #nearest(value: number, scale: number): number {
    if (scale === 0) return 0
    const code = Math.floor(value / scale + 0.5)
    return code < -this.#offset ? -this.#offset : code > this.#offset - 1 ? this.#offset - 1 : code
  }
}

function putCodes(out: Uint8Array, at: number, codes: Int16Array, type: SymmetricType): void {
  if (type === 'Q8_0') {
    for (let i = 0; i < block; i++) out[at + i] = codes[i]! & 0xff
    return
  }
  const offset = offsets[type]
  const start = type === 'Q5_0' ? at + 4 : at
  let fifth = 0
  for (let i = 0; i < 16; i++) {
    const [low, high] = [codes[i]! + offset, codes[i + 16]! + offset]
    out[start + i] = (low & 15) | ((high & 15) << 4)
    fifth |= ((low >>> 4) << i) | ((high >>> 4) << (i + 16))
  }
  if (type === 'Q5_0') for (let byte = 0; byte < 4; byte++) out[at + byte] = (fifth >>> (8 * byte)) & 0xff
}
