import type { Bank } from './bank.ts'

/**
 * Weights of float16 that are subnormal or zero: their exponent is zero, and the kernel of float16 takes them for others. Where their
 * entries in a bank start and end: each is three numbers, how many bytes after the first result and the first input of a row its
 * own ones lie, and what the weight is less what the kernel takes it for.
 */
export interface SmallWeights {
  start: number
  end: number
}

const entryNumbers = 3
/** Share of small weights above which the kernel that multiplies them too is the faster one, as measured on an Intel Xeon. */
const mostShare = 1 / 128
const exponent = 0x7c00
const fraction = 0x3ff
const sign = 0x8000

/**
 * The small weights of a matrix in a bank, or null where they are many or there is no room for them.
 *
 * @param data from a multiple of four bytes on
 */
export function smallWeights(data: Uint16Array, columns: number, bank: Bank): SmallWeights | null {
  const places = new Uint32Array(Math.ceil(data.length * mostShare))
  let count = 0
  const look = (at: number) => {
    if ((data[at]! & exponent) === 0) places[count++] = at
  }
  // Two at a time, which takes half as long.
  const pairs = new Uint32Array(data.buffer, data.byteOffset, data.length >>> 1)
  for (let pair = 0; pair < pairs.length; pair++) {
    const bits = pairs[pair]!
    if ((bits & exponent) !== 0 && (bits & (exponent << 16)) !== 0) continue
    look(2 * pair)
    look(2 * pair + 1)
    if (count > places.length) return null
  }
  if (data.length % 2 === 1) look(data.length - 1)
  if (count > places.length) return null
  const bytes = bank.take(4 * entryNumbers * count)
  if (!bytes) return null
  const integers = new Int32Array(bytes.buffer, bytes.byteOffset, entryNumbers * count)
  const floats = new Float32Array(bytes.buffer, bytes.byteOffset, entryNumbers * count)
  for (const [i, at] of byColumn(places.subarray(0, count), columns).entries()) {
    integers[entryNumbers * i] = 4 * Math.floor(at / columns)
    integers[entryNumbers * i + 1] = 4 * (at % columns)
    floats[entryNumbers * i + 2] = missingOf(data[at]!)
  }
  return { start: bytes.byteOffset, end: bytes.byteOffset + bytes.byteLength }
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
