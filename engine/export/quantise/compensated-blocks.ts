import { putHalf, rounded16 } from './blocks.ts'
import type { Feedback } from './feedback.ts'
import { fitSymmetric } from './symmetric-fit.ts'

/** Types of 32 numbers with one scale, x = scale * code, by how far below zero codes go. */
const offsets = { Q4_0: 8, Q5_0: 16, Q8_0: 128 } as const
const blockBytes = { Q4_0: 18, Q5_0: 22, Q8_0: 34 } as const
export type SymmetricType = keyof typeof offsets

export const isSymmetric = (type: string): type is SymmetricType => Object.hasOwn(offsets, type)
const block = 32

/**
 * Rows as blocks whose scales are chosen for a small error of what the layer gives, clipped where that helps; the error of
 * every number is made up for by those after it in its row.
 */
export function encodeCompensated(x: Float32Array, out: Uint8Array, type: SymmetricType, feedback: Feedback): void {
  const { size, factors, weights } = feedback
  const offset = offsets[type]
  const bytes = blockBytes[type]
  const codes = new Int16Array(block)
  const row = new Float32Array(size)
  let place = 0
  for (let first = 0; first < x.length; first += size) {
    row.set(x.subarray(first, first + size))
    for (let at = 0; at < size; at += block, place += bytes) {
      const scale = rounded16(fitSymmetric(row, weights, at, block, offset, true))
      const factor = scale === 0 ? 0 : 1 / scale
      for (let i = 0; i < block; i++) {
        const k = at + i
        const code = Math.max(-offset, Math.min(offset - 1, Math.floor(row[k]! * factor + 0.5)))
        codes[i] = code
        // Of the weight itself: what `row` has beside it makes up for earlier errors.
        const error = x[first + k]! - scale * code
        const from = k * size
        if (error !== 0) for (let m = k + 1; m < size; m++) row[m]! += error * factors[from + m]!
      }
      putHalf(out, place, scale)
      putCodes(out, place + 2, codes, type)
    }
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
