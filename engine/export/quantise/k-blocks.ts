import { affineCodes, affineError, type AffineFit, fitAffine } from './affine-fit.ts'
import { putHalf, rounded16 } from './blocks.ts'
import { fitSymmetric } from './symmetric-fit.ts'

/**
 * Blocks of 256 numbers, as ggml defines them (ggml-common.h, MIT): their layout is its, how numbers are rounded to them is
 * ours. Every block has a scale in float16, and each of its parts a scale of few bits.
 */

const block = 256
const part = 32
const parts = block / part
const mostScale = 63

/**
 * Q4_K and Q5_K: x = scale * s * code - least * m over 8 parts of 32, s and m of six bits.
 *
 * @param weights what the error of each number counts
 */
function encodeAffine(x: Float32Array, weights: Float32Array, out: Uint8Array, bits: 4 | 5): void {
  const most = 2 ** bits - 1
  const bytes = bits === 4 ? 144 : 176
  const codes = new Uint8Array(block)
  const scales = new Uint8Array(parts)
  const leasts = new Uint8Array(parts)
  const fits: AffineFit[] = []
  for (let at = 0, place = 0; at < x.length; at += block, place += bytes) {
    for (let j = 0; j < parts; j++) fits[j] = fitAffine(x, weights, at + j * part, most)
    let scale = rounded16(fits.reduce((largest, fit) => Math.max(largest, fit.scale), 0) / mostScale)
    let least = rounded16(fits.reduce((largest, fit) => Math.max(largest, fit.least), 0) / mostScale)
    for (let round = 0; round < 2; round++) {
      for (let j = 0; j < parts; j++) {
        const from = at + j * part
        const near = { scale: nearScale(fits[j]!.scale, scale), least: nearScale(fits[j]!.least, least) }
        const chosen = bestNear(x, weights, from, near, { scale, least }, most)
        scales[j] = chosen.scale
        leasts[j] = chosen.least
        affineCodes(x, from, scale * chosen.scale, least * chosen.least, most, codes, j * part)
      }
      if (round > 0) break
      const better = refit(x, weights, at, codes, scales, leasts)
      if (better === null) break
      scale = rounded16(better.scale)
      least = rounded16(better.least)
    }
    putHalf(out, place, scale)
    putHalf(out, place + 2, least)
    putSixBits(out, place + 4, scales, leasts)
    if (bits === 5) putHighBits(out, place + 16, codes)
    putNibbles(out, place + bytes - 128, codes)
  }
}

const nearScale = (value: number, unit: number) => (unit > 0 ? Math.min(mostScale, Math.round(value / unit)) : 0)

/** Of the six-bit scales about the best ones, those with the smallest error once they are rounded. */
function bestNear(
  x: Float32Array,
  weights: Float32Array,
  at: number,
  near: { scale: number; least: number },
  unit: { scale: number; least: number },
  most: number,
): { scale: number; least: number } {
  let best = near
  let smallest = Infinity
  for (let s = Math.max(0, near.scale - 1); s <= Math.min(mostScale, near.scale + 1); s++)
    for (let m = Math.max(0, near.least - 1); m <= Math.min(mostScale, near.least + 1); m++) {
      const scale = unit.scale * s
      const least = unit.least * m
      const error = affineError(x, weights, at, { scale, least, most, enough: smallest })
      if (error < smallest) {
        smallest = error
        best = { scale: s, least: m }
      }
    }
  return best
}

/** The best scale and least of a block for the codes and the parts' scales that it has; null where any would do. */
function refit(
  x: Float32Array,
  weights: Float32Array,
  at: number,
  codes: Uint8Array,
  scales: Uint8Array,
  leasts: Uint8Array,
): { scale: number; least: number } | null {
  let [aa, ab, bb, ax, bx] = [0, 0, 0, 0, 0]
  for (let i = 0; i < block; i++) {
    const w = weights[at + i]!
    const a = scales[i >> 5]! * codes[i]!
    const b = -leasts[i >> 5]!
    const value = x[at + i]!
    aa += w * a * a
    ab += w * a * b
    bb += w * b * b
    ax += w * a * value
    bx += w * b * value
  }
  const determinant = aa * bb - ab * ab
  if (bb === 0) return aa > 0 && ax > 0 ? { scale: ax / aa, least: 0 } : null
  if (!(determinant > 0)) return null
  const scale = (ax * bb - bx * ab) / determinant
  const least = (bx * aa - ax * ab) / determinant
  return scale > 0 && least >= 0 ? { scale, least } : null
}

/** Eight scales and eight leasts of six bits: four whole ones of each, then four in pieces. */
function putSixBits(out: Uint8Array, at: number, scales: Uint8Array, leasts: Uint8Array): void {
  for (let j = 0; j < 4; j++) {
    out[at + j] = scales[j]! | ((scales[j + 4]! >>> 4) << 6)
    out[at + j + 4] = leasts[j]! | ((leasts[j + 4]! >>> 4) << 6)
    out[at + j + 8] = (scales[j + 4]! & 15) | ((leasts[j + 4]! & 15) << 4)
  }
}

/** Low four bits of all codes: the first 32 of each 64 in the low half of a byte, the others in the high half. */
function putNibbles(out: Uint8Array, at: number, codes: Uint8Array): void {
  for (let chunk = 0; chunk < 4; chunk++)
    for (let i = 0; i < 32; i++)
      out[at + chunk * 32 + i] = (codes[chunk * 64 + i]! & 15) | ((codes[chunk * 64 + 32 + i]! & 15) << 4)
}

/** The fifth bits: bit j of a byte is that of part j. */
function putHighBits(out: Uint8Array, at: number, codes: Uint8Array): void {
  for (let i = 0; i < 32; i++) {
    let byte = 0
    for (let j = 0; j < parts; j++) byte |= (codes[j * part + i]! >>> 4) << j
    out[at + i] = byte
  }
}

export const encodeQ4_K = (x: Float32Array, out: Uint8Array, weights: Float32Array): void =>
  encodeAffine(x, weights, out, 4)
export const encodeQ5_K = (x: Float32Array, out: Uint8Array, weights: Float32Array): void =>
  encodeAffine(x, weights, out, 5)

/** Q6_K: x = scale * s * (code - 32) over 16 parts of 16, s of eight bits. */
export function encodeQ6_K(x: Float32Array, out: Uint8Array, weights: Float32Array): void {
  const codes = new Uint8Array(block)
  const fits = new Float64Array(16)
  for (let at = 0, place = 0; at < x.length; at += block, place += 210) {
    let largest = 0
    for (let j = 0; j < 16; j++) {
      const fit = fitSymmetric(x, weights, at + j * 16, 16, 32)
      fits[j] = fit
      if (Math.abs(fit) > Math.abs(largest)) largest = fit
    }
    const scale = rounded16(largest / -128)
    for (let j = 0; j < 16; j++) {
      const s = scale === 0 ? 0 : Math.max(-128, Math.min(127, Math.round(fits[j]! / scale)))
      const own = scale * s
      const factor = own === 0 ? 0 : 1 / own
      for (let i = 0; i < 16; i++) {
        const code = Math.floor(x[at + j * 16 + i]! * factor + 32.5)
        codes[j * 16 + i] = code < 0 ? 0 : code > 63 ? 63 : code
      }
      out[place + 192 + j] = s & 0xff
    }
    putSixBitCodes(out, place, codes)
    putHalf(out, place + 208, scale)
  }
}

/** Low four bits of all codes, then their high two bits; 128 numbers in 64 and 32 bytes, twice. */
function putSixBitCodes(out: Uint8Array, at: number, codes: Uint8Array): void {
  for (let half = 0; half < 2; half++)
    for (let i = 0; i < 32; i++) {
      const from = half * 128 + i
      const [a, b, c, d] = [codes[from]!, codes[from + 32]!, codes[from + 64]!, codes[from + 96]!]
      out[at + half * 64 + i] = (a & 15) | ((c & 15) << 4)
      out[at + half * 64 + 32 + i] = (b & 15) | ((d & 15) << 4)
      out[at + 128 + half * 32 + i] = (a >>> 4) | ((b >>> 4) << 2) | ((c >>> 4) << 4) | ((d >>> 4) << 6)
    }
}
