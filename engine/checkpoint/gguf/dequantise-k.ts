/**
 * The block formats of 256 weights with a scale for each 16 or 32 of them ("K"). Layouts and formulas are those of
 * `dequantize_row_*` in llama.cpp's ggml-quants.c (MIT); see `dequantise-plain.ts` for what the functions take, and why
 * their results are the same bits.
 */
import { type Dequantise, halfAt } from './dequantise-plain.ts'

/** 16 bytes (scale in the low half, minimum in the high half, for each 16 weights), 64 bytes, d, dmin; q has 2 bits. */
export const q2_K: Dequantise = (bytes, target) => {
  for (let at = 0, to = 0; to < target.length; at += 84, to += 256) {
    const d = halfAt(bytes, at + 80)
    const dmin = halfAt(bytes, at + 82)
    for (let part = 0; part < 16; part++) {
      const scales = bytes[at + part]!
      const scale = d * (scales & 15)
      const minimum = dmin * (scales >> 4)
      // Four parts of 32 weights share 32 bytes, each its two bits of every byte.
      const from = at + 16 + 32 * (part >> 3) + 16 * (part & 1)
      const shift = 2 * ((part >> 1) & 3)
      for (let j = 0; j < 16; j++) target[to + 16 * part + j] = scale * ((bytes[from + j]! >> shift) & 3) - minimum
    }
  }
}

/** 32 bytes of third bits, 64 bytes of the low two, 12 bytes of 6-bit scales, d; a third bit of 0 takes off 4. */
export const q3_K: Dequantise = (bytes, target) => {
  for (let at = 0, to = 0; to < target.length; at += 110, to += 256) {
    const d = halfAt(bytes, at + 108)
    for (let part = 0; part < 16; part++) {
      const low = (bytes[at + 96 + (part & 7)]! >> (4 * (part >> 3))) & 15
      const high = (bytes[at + 104 + (part & 3)]! >> (2 * (part >> 2))) & 3
      const scale = d * ((low | (high << 4)) - 32)
      const from = at + 32 + 32 * (part >> 3) + 16 * (part & 1)
      const shift = 2 * ((part >> 1) & 3)
      const bits = at + 16 * (part & 1)
      for (let j = 0; j < 16; j++) {
        const third = (bytes[bits + j]! >> (part >> 1)) & 1
        target[to + 16 * part + j] = scale * (((bytes[from + j]! >> shift) & 3) - 4 * (1 - third))
      }
    }
  }
}

/** The 6-bit scale of 32 weights, of the 12 bytes that Q4_K and Q5_K have for 8 scales and 8 minima. */
const scaleAt = (bytes: Uint8Array, at: number, part: number): number =>
  part < 4 ? bytes[at + part]! & 63 : (bytes[at + part + 4]! & 15) | ((bytes[at + part - 4]! >> 6) << 4)
const minimumAt = (bytes: Uint8Array, at: number, part: number): number =>
  part < 4 ? bytes[at + part + 4]! & 63 : (bytes[at + part + 4]! >> 4) | ((bytes[at + part]! >> 6) << 4)

/** d, dmin, 12 bytes of scales and minima, 128 bytes: two parts of 32 weights share 32 bytes; d * scale * q - dmin * minimum. */
export const q4_K: Dequantise = (bytes, target) => {
  for (let at = 0, to = 0; to < target.length; at += 144, to += 256) {
    const d = halfAt(bytes, at)
    const dmin = halfAt(bytes, at + 2)
    for (let part = 0; part < 8; part++) {
      const scale = d * scaleAt(bytes, at + 4, part)
      const minimum = dmin * minimumAt(bytes, at + 4, part)
      const from = at + 16 + 32 * (part >> 1)
      const shift = 4 * (part & 1)
      for (let j = 0; j < 32; j++) target[to + 32 * part + j] = scale * ((bytes[from + j]! >> shift) & 15) - minimum
    }
  }
}

/** As Q4_K, with 32 bytes of fifth bits before the 128: bit p of byte j is that of weight j of part p. */
export const q5_K: Dequantise = (bytes, target) => {
  for (let at = 0, to = 0; to < target.length; at += 176, to += 256) {
    const d = halfAt(bytes, at)
    const dmin = halfAt(bytes, at + 2)
    for (let part = 0; part < 8; part++) {
      const scale = d * scaleAt(bytes, at + 4, part)
      const minimum = dmin * minimumAt(bytes, at + 4, part)
      const from = at + 48 + 32 * (part >> 1)
      const shift = 4 * (part & 1)
      for (let j = 0; j < 32; j++) {
        const q = ((bytes[from + j]! >> shift) & 15) | (((bytes[at + 16 + j]! >> part) & 1) << 4)
        target[to + 32 * part + j] = scale * q - minimum
      }
    }
  }
}

/** 128 bytes of low halves, 64 of high two bits, 16 signed scales, d; d * scale * (q - 32). */
export const q6_K: Dequantise = (bytes, target) => {
  for (let at = 0, to = 0; to < target.length; at += 210, to += 256) {
    const d = halfAt(bytes, at + 208)
    for (let part = 0; part < 16; part++) {
      const scale = d * ((bytes[at + 192 + part]! << 24) >> 24)
      const half = part >> 3
      const quarter = (part >> 1) & 3
      const column = 16 * (part & 1)
      const low = at + 64 * half + 32 * (quarter & 1) + column
      const high = at + 128 + 32 * half + column
      const shift = 4 * (quarter >> 1)
      for (let j = 0; j < 16; j++) {
        const q = ((bytes[low + j]! >> shift) & 15) | (((bytes[high + j]! >> (2 * quarter)) & 3) << 4)
        target[to + 16 * part + j] = scale * (q - 32)
      }
    }
  }
}
