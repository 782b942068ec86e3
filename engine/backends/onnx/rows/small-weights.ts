import { type Bank, scratch } from './bank.ts'
import { entryBytes } from './kernels.ts'

/**
 * Weights of float16 that are subnormal or zero: their exponent is zero, and the kernel of float16 takes them for others. Where their
 * entries in a bank start and end: each is three numbers, how many bytes after the first result and the first input of a row its
 * own ones lie, and what the weight is less what the kernel takes it for.
 */
export interface SmallWeights {
  start: number
  end: number
}

const entryNumbers = entryBytes / 4
/** Share of small weights above which the kernel that multiplies them too is the faster one, as measured on an Intel Xeon. */
const mostShare = 1 / 128
const fraction = 0x3ff
const sign = 0x8000
/** Weights that are looked through at once: what is found of them has room where results lie. */
const pieceSize = 2 ** 20

/** The small weights of a matrix in a bank; null where they are many or there is no room for them. */
export function smallWeights(data: Uint16Array, columns: number, bank: Bank): SmallWeights | null {
  const places = placesOf(data, bank)
  const bytes = places && bank.take(entryBytes * places.length)
  if (!bytes) return null
  const integers = new Int32Array(bytes.buffer, bytes.byteOffset, entryNumbers * places.length)
  const floats = new Float32Array(bytes.buffer, bytes.byteOffset, entryNumbers * places.length)
  for (const [i, at] of byColumn(places, columns).entries()) {
    integers[entryNumbers * i] = 4 * Math.floor(at / columns)
    integers[entryNumbers * i + 1] = 4 * (at % columns)
    floats[entryNumbers * i + 2] = missingOf(data[at]!)
  }
  return { start: bytes.byteOffset, end: bytes.byteOffset + bytes.byteLength }
}

/** Where the small weights are, or null where they are many. */
function placesOf(data: Uint16Array, bank: Bank): Uint32Array | null {
  const places = new Uint32Array(Math.ceil(data.length * mostShare))
  const found = new Uint32Array(bank.floats.buffer, scratch.y, pieceSize)
  let count = 0
  for (let start = 0; start < data.length; start += pieceSize) {
    const end = Math.min(start + pieceSize, data.length)
    bank.kernels.findSmall(data.byteOffset + 2 * start, data.byteOffset + 2 * end, scratch.y)
    for (let at = 0; found[at] !== 0; at += 2) {
      const first = (found[at]! - data.byteOffset) / 2
      for (let bits = found[at + 1]!, place = first; bits !== 0; bits >>>= 1, place++) {
        // The last eight may end beyond the matrix.
        if ((bits & 1) === 0 || place >= end) continue
        if (count === places.length) return null
        places[count++] = place
      }
    }
  }
  return places.subarray(0, count)
}

/** Places in the order of their columns: sums of different rows need not wait for each other. */
function byColumn(places: Uint32Array, columns: number): Uint32Array {
  const next = new Uint32Array(columns + 1)
  for (const at of places) next[(at % columns) + 1]!++
  for (let column = 0; column < columns; column++) next[column + 1]! += next[column]!
  const sorted = new Uint32Array(places.length)
  for (const at of places) sorted[next[at % columns]!++] = at
  return sorted
}

/**
 * The kernel moves exponent and fraction to where float32 has them and adds 112 to the exponent, which makes 2^-15 (1 + f) of a
 * weight whose exponent is zero. IEEE 754 says 2^-14 f.
 */
function missingOf(bits: number): number {
  const f = (bits & fraction) / 1024
  const magnitude = 2 ** -14 * f - 2 ** -15 * (1 + f)
  return bits & sign ? -magnitude : magnitude
}
