/**
 * Types of blocks with one scale, as ggml defines them (ggml-common.h, MIT): their layout and how llama.cpp rounds to them,
 * so that the bytes are the same. All arithmetic is in float32.
 */

/** A float32 as the bits of the nearest float16, ties to even. */
export function halfBits(value: number): number {
  half[0] = value
  return bits[0]!
}
const half = new Float16Array(1)
const bits = new Uint16Array(half.buffer)

/** The number that the nearest float16 of a number is. */
export function rounded16(value: number): number {
  half[0] = value
  return half[0]
}

export const putHalf = (out: Uint8Array, at: number, value: number): void => {
  const word = halfBits(value)
  out[at] = word & 0xff
  out[at + 1] = word >>> 8
}

const { fround } = Math
const inverse = (scale: number) => (scale === 0 ? 0 : fround(1 / scale))
/** Rounds to the nearest integer, halves away from zero. */
const roundAway = (value: number) => (value < 0 ? -Math.floor(0.5 - value) : Math.floor(value + 0.5))

/** Q8_0: scale = largest magnitude / 127. */
export function encodeQ8_0(x: Float32Array, out: Uint8Array): void {
  for (let block = 0, at = 0; block < x.length; block += 32, at += 34) {
    let most = 0
    for (let i = block; i < block + 32; i++) {
      const size = Math.abs(x[i]!)
      if (size > most) most = size
    }
    const scale = fround(most / 127)
    const factor = inverse(scale)
    putHalf(out, at, scale)
    for (let i = 0; i < 32; i++) out[at + 2 + i] = roundAway(fround(x[block + i]! * factor)) & 0xff
  }
}

/** The number of largest magnitude of a block, with its sign: the first of equal ones. */
function extreme(x: Float32Array, block: number): number {
  let most = 0
  let value = 0
  for (let i = block; i < block + 32; i++) {
    const size = Math.abs(x[i]!)
    if (size > most) {
      most = size
      value = x[i]!
    }
  }
  return value
}

/** Q4_0: scale = the number of largest magnitude / -8, which becomes 0 of 0 to 15. */
export function encodeQ4_0(x: Float32Array, out: Uint8Array): void {
  for (let block = 0, at = 0; block < x.length; block += 32, at += 18) {
    const scale = extreme(x, block) / -8
    const factor = inverse(scale)
    putHalf(out, at, scale)
    for (let i = 0; i < 16; i++) {
      const low = nibble(x[block + i]!, factor)
      const high = nibble(x[block + i + 16]!, factor)
      out[at + 2 + i] = low | (high << 4)
    }
  }
}

const nibble = (value: number, factor: number) => Math.min(15, Math.trunc(fround(fround(value * factor) + 8.5)))

/** Q5_0: as Q4_0 with five bits; the fifth bits of all 32 stand before the others. */
export function encodeQ5_0(x: Float32Array, out: Uint8Array): void {
  for (let block = 0, at = 0; block < x.length; block += 32, at += 22) {
    const scale = extreme(x, block) / -16
    const factor = inverse(scale)
    putHalf(out, at, scale)
    putFiveBits(out, at + 2, (i) => Math.min(31, Math.trunc(fround(fround(x[block + i]! * factor) + 16.5))))
  }
}

/** Q5_1: scale = (largest - least) / 31, and the least. */
export function encodeQ5_1(x: Float32Array, out: Uint8Array): void {
  for (let block = 0, at = 0; block < x.length; block += 32, at += 24) {
    let least = x[block]!
    let most = least
    for (let i = block; i < block + 32; i++) {
      if (x[i]! < least) least = x[i]!
      if (x[i]! > most) most = x[i]!
    }
    const scale = fround(fround(most - least) / 31)
    const factor = inverse(scale)
    putHalf(out, at, scale)
    putHalf(out, at + 2, least)
    putFiveBits(out, at + 4, (i) => Math.trunc(fround(fround(fround(x[block + i]! - least) * factor) + 0.5)))
  }
}

function putFiveBits(out: Uint8Array, at: number, codeOf: (i: number) => number): void {
  let fifth = 0
  for (let i = 0; i < 16; i++) {
    const low = codeOf(i)
    const high = codeOf(i + 16)
    fifth |= (low >>> 4) << i
    fifth |= (high >>> 4) << (i + 16)
    out[at + 4 + i] = (low & 15) | ((high & 15) << 4)
  }
  for (let byte = 0; byte < 4; byte++) out[at + byte] = (fifth >>> (8 * byte)) & 0xff
}
