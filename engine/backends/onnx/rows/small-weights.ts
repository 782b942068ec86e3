/** Weights of float16 that are subnormal or zero: their exponent is zero, and the kernel of float16 takes them for others. */
export interface SmallWeights {
  /** Where they are, row by row. */
  rows: Uint32Array
  columns: Uint32Array
  /** What a weight is, less what the kernel takes it for. */
  missing: Float32Array
}

/** Share of small weights above which the kernel that multiplies them too is the faster one, as measured on an Intel Xeon. */
const mostShare = 1 / 128
const exponent = 0x7c00
const fraction = 0x3ff
const sign = 0x8000

/**
 * The small weights of a matrix, or null where they are many.
 *
 * @param data from a multiple of four bytes on
 */
export function smallWeights(data: Uint16Array, columns: number): SmallWeights | null {
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
  const found = places.subarray(0, count)
  return {
    rows: found.map((at) => Math.floor(at / columns)),
    columns: found.map((at) => at % columns),
    missing: new Float32Array(count).map((_, i) => missingOf(data[found[i]!]!)),
  }
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

/**
 * Adds to rows of products what small weights are missing in them.
 *
 * @param given.x rows, `stride` numbers apart
 * @param given.y [count, outputs]
 */
export function addSmallWeights(
  { rows, columns, missing }: SmallWeights,
  given: { x: Float32Array; stride: number; y: Float32Array; outputs: number; count: number },
): void {
  const { x, stride, y, outputs, count } = given
  for (let row = 0; row < count; row++) {
    const input = row * stride
    const output = row * outputs
    for (let i = 0; i < missing.length; i++) y[output + rows[i]!]! += missing[i]! * x[input + columns[i]!]!
  }
}
