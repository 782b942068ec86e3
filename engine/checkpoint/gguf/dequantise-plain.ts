/**
 * The block formats of 32 weights with one scale, and their kin with sixteen chosen values. Layouts and formulas are those
 * of `dequantize_row_*` in llama.cpp's ggml-quants.c (MIT), described in its terms: d scale, m minimum, q integers. Every
 * product is exact in float64, so that each weight is rounded once, when it is stored as float32: the same bits as there.
 *
 * Each function reads whole blocks from `bytes` and fills `target` [blocks * weights].
 */

/** What a block reader is. */
export type Dequantise = (bytes: Uint8Array, target: Float32Array) => void

/** Every float16 by its bits. */
const halves = new Float32Array(new Float16Array(Uint16Array.from({ length: 65_536 }, (_, bits) => bits).buffer))

/** The float16 at a place. */
export const halfAt = (bytes: Uint8Array, at: number): number => halves[bytes[at]! | (bytes[at + 1]! << 8)]!

/** d, 16 bytes: weight j in the low half of byte j, weight j + 16 in its high half; d * (q - 8). */
export const q4_0: Dequantise = (bytes, target) => {
  for (let at = 0, to = 0; to < target.length; at += 18, to += 32) {
    const d = halfAt(bytes, at)
    for (let j = 0; j < 16; j++) {
      const byte = bytes[at + 2 + j]!
      target[to + j] = d * ((byte & 15) - 8)
      target[to + j + 16] = d * ((byte >> 4) - 8)
    }
  }
}

/** d, m, 16 bytes as in Q4_0; d * q + m. */
export const q4_1: Dequantise = (bytes, target) => {
  for (let at = 0, to = 0; to < target.length; at += 20, to += 32) {
    const d = halfAt(bytes, at)
    const m = halfAt(bytes, at + 2)
    for (let j = 0; j < 16; j++) {
      const byte = bytes[at + 4 + j]!
      target[to + j] = d * (byte & 15) + m
      target[to + j + 16] = d * (byte >> 4) + m
    }
  }
}

/** d, 32 fifth bits, 16 bytes as in Q4_0; d * (q - 16). */
export const q5_0: Dequantise = (bytes, target) => {
  for (let at = 0, to = 0; to < target.length; at += 22, to += 32) {
    const d = halfAt(bytes, at)
    const high = wordAt(bytes, at + 2)
    for (let j = 0; j < 16; j++) {
      const byte = bytes[at + 6 + j]!
      target[to + j] = d * (((byte & 15) | (((high >>> j) & 1) << 4)) - 16)
      target[to + j + 16] = d * (((byte >> 4) | (((high >>> (j + 16)) & 1) << 4)) - 16)
    }
  }
}

/** d, m, 32 fifth bits, 16 bytes as in Q4_0; d * q + m. */
export const q5_1: Dequantise = (bytes, target) => {
  for (let at = 0, to = 0; to < target.length; at += 24, to += 32) {
    const d = halfAt(bytes, at)
    const m = halfAt(bytes, at + 2)
    const high = wordAt(bytes, at + 4)
    for (let j = 0; j < 16; j++) {
      const byte = bytes[at + 8 + j]!
      target[to + j] = d * ((byte & 15) | (((high >>> j) & 1) << 4)) + m
      target[to + j + 16] = d * ((byte >> 4) | (((high >>> (j + 16)) & 1) << 4)) + m
    }
  }
}

/** d, 32 signed bytes; d * q. */
export const q8_0: Dequantise = (bytes, target) => {
  for (let at = 0, to = 0; to < target.length; at += 34, to += 32) {
    const d = halfAt(bytes, at)
    for (let j = 0; j < 32; j++) target[to + j] = d * ((bytes[at + 2 + j]! << 24) >> 24)
  }
}

/** The values that four bits stand for in IQ4_NL and IQ4_XS. */
const chosen = Int8Array.of(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)

/** d, 16 bytes as in Q4_0; d * chosen[q]. */
export const iq4_nl: Dequantise = (bytes, target) => {
  for (let at = 0, to = 0; to < target.length; at += 18, to += 32)
    chosenBlock(bytes, at + 2, halfAt(bytes, at), target, to)
}

/**
 * d, 16 bits with the high two bits of 8 scales, 4 bytes with their low four, and 8 times 16 bytes as in IQ4_NL;
 * d * (scale - 32) * chosen[q].
 */
export const iq4_xs: Dequantise = (bytes, target) => {
  for (let at = 0, to = 0; to < target.length; at += 136, to += 256) {
    const d = halfAt(bytes, at)
    const high = bytes[at + 2]! | (bytes[at + 3]! << 8)
    for (let part = 0; part < 8; part++) {
      const low = (bytes[at + 4 + (part >> 1)]! >> (4 * (part & 1))) & 15
      const scale = (low | (((high >> (2 * part)) & 3) << 4)) - 32
      chosenBlock(bytes, at + 8 + 16 * part, d * scale, target, to + 32 * part)
    }
  }
}

function chosenBlock(bytes: Uint8Array, at: number, scale: number, target: Float32Array, to: number): void {
  for (let j = 0; j < 16; j++) {
    const byte = bytes[at + j]!
    target[to + j] = scale * chosen[byte & 15]!
    target[to + j + 16] = scale * chosen[byte >> 4]!
  }
}

const wordAt = (bytes: Uint8Array, at: number): number =>
  bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
