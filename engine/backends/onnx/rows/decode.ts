import * as wasm from './wasm-code.ts'
import { type Code, integer, type Local } from './wasm-code.ts'

/** Numbers of a row that are read at a time: what is multiplied is filled up with zeros to a multiple of this. */
export const blockSize = 16

/**
 * Kernels of products, by the form of their weights; the last one is for those of float16 for which there is no list of small
 * weights: see `SmallWeights`.
 */
export const productNames = ['float32', 'float16', 'bfloat16', 'int8', 'subnormal16'] as const
export type ProductName = (typeof productNames)[number]
export const numberBytes: Record<ProductName, number> = { float32: 4, float16: 2, bfloat16: 2, int8: 1, subnormal16: 2 }

/** What decoding a block of weights may use beside the stack. */
interface Decoding {
  /** The address of the block. */
  at: Code
  scratch: readonly [Local, Local]
  /** Bits in all lanes, which stay in a register. */
  constant: (bits: number) => Code
}

/** Code that is run before the vectors of a block are made, and four weights each as vectors of floats. */
interface Decoded {
  prepared: Code
  vectors: Code[]
}

/** The first and second four of eight numbers, from the low and the high halves of their bits. */
const floatsOf = (low: Code, high: Code): Code[] => [
  wasm.halvesTogether(0)(low, high),
  wasm.halvesTogether(4)(low, high),
]

/** Vectors of weights of 16 bits, eight at a time, with code before each eight. */
const inEights = (floats: Code[], prepared: (offset: number) => Code): Decoded => ({
  prepared: [],
  vectors: [0, 16].flatMap((offset) => [[...prepared(offset), ...floats[0]!], floats[1]!]),
})

export const decoded: Record<ProductName, (given: Decoding) => Decoded> = {
  float32: ({ at }) => ({ prepared: [], vectors: [0, 16, 32, 48].map((offset) => wasm.load(offset)(at)) }),
  bfloat16: ({ at, scratch: [high] }) =>
    inEights(floatsOf(wasm.zeros, high.get), (offset) => high.set(wasm.load(offset)(at))),
  // Sign, exponent and fraction go where float32 has them, in its high half and its low one, and 112 is added to the exponent.
  // Zero and subnormal numbers become others that way, for which `SmallWeights` make up. A factor of 2^112 in place of the
  // addition would leave them as they are, but processors of Intel take a hundred cycles for a factor that is subnormal.
  // Weights are finite: they are checked when they are read.
  float16: ({ at, scratch: [high, low], constant }) => {
    const signAndRest = wasm.and(wasm.shiftRight16(low.get, integer(3)), constant(inBothHalves(0x8fff)))
    return inEights(floatsOf(low.get, high.get), (offset) => [
      ...low.set(wasm.load(offset)(at)),
      ...high.set(wasm.addEach16(signAndRest, constant(inBothHalves(112 << 7)))),
      ...low.set(wasm.shiftLeft16(low.get, integer(13))),
    ])
  },
  // The same where small weights come out right. With 112 added to the exponent a number t has one bit more than the fraction.
  // A small number has no such bit, and is 2 t - 2^-14; of the others t is the smaller one.
  subnormal16: ({ at, scratch: [bits, t], constant }) => ({
    prepared: [],
    vectors: [0, 8, 16, 24].map((offset) => [
      ...bits.set(wasm.loadSigned16(offset)(at)),
      ...t.set(wasm.addEach(wasm.shiftRight(wasm.shiftLeft(bits.get, integer(17)), integer(4)), constant(112 << 23))),
      ...wasm.or(
        wasm.smaller(t.get, wasm.multiplyAdd(t.get, constant(bitsOf(2)), constant(bitsOf(-(2 ** -14))))),
        wasm.and(bits.get, constant(1 << 31)),
      ),
    ]),
  }),
  // A byte goes to the high end of an integer of 32 bits, behind zeros: floats are the weights divided by `int8Scale`.
  int8: ({ at, scratch: [bytes, halves] }) => {
    const [four, next] = floatsOf(wasm.zeros, halves.get).map((each) => wasm.toFloats(each)) as [Code, Code]
    const halvesFrom = (from: 0 | 8) => halves.set(wasm.bytesTogether(from)(wasm.zeros, bytes.get))
    const vectors = [[...halvesFrom(0), ...four], next, [...halvesFrom(8), ...four], next]
    return { prepared: bytes.set(wasm.load(0)(at)), vectors }
  },
}

/** What products with weights of 8 bits are to be multiplied with, beside their scales. */
export const int8Scale = 2 ** -24

/** The bits of the exponent in float16. */
export const exponent16 = 0x7c00

const inBothHalves = (bits: number): number => (bits << 16) | bits
const bitsOf = (value: number): number => new Int32Array(Float32Array.of(value).buffer)[0]!
