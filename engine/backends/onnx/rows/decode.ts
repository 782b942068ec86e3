import * as wasm from './wasm-code.ts'
import { type Code, integer, type Local } from './wasm-code.ts'

/** Numbers of a row that are read at a time: what is multiplied is filled up with zeros to a multiple of this. */
export const blockSize = 16

/** Kernels of products, by the form of their weights; the last one is for weights of which many are subnormal numbers. */
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

/** Weights of 16 bits whose vectors need nothing of each other. */
const vectorsOf16 = (code: (offset: number) => Code): Decoded => ({ prepared: [], vectors: [0, 8, 16, 24].map(code) })

export const decoded: Record<ProductName, (given: Decoding) => Decoded> = {
  float32: ({ at }) => ({ prepared: [], vectors: [0, 16, 32, 48].map((offset) => wasm.load(offset)(at)) }),
  bfloat16: ({ at }) => vectorsOf16((offset) => wasm.shiftLeft(wasm.loadUnsigned16(offset)(at), integer(16))),
  // Sign, exponent and fraction go where float32 has them; 2^112 makes up for what exponents stand for, subnormal numbers'
  // too. Weights are finite: see `Checkpoint.read`.
  float16: ({ at, constant }) =>
    vectorsOf16((offset) => {
      const bits = wasm.shiftLeft(wasm.loadSigned16(offset)(at), integer(13))
      return wasm.multiply(wasm.and(bits, constant(0x8fffe000 | 0)), constant(bitsOf(2 ** 112)))
    }),
  // The same without a float that is subnormal itself, for each of which processors of Intel need a hundred cycles. Exponent
  // and fraction go where float32 has them, and 112 is added to the exponent: t, with one bit more than the fraction. A
  // subnormal number has no such bit, and is 2 t - 2^-14; of the others t is the smaller one.
  subnormal16: ({ at, scratch: [bits, t], constant }) =>
    vectorsOf16((offset) => [
      ...bits.set(wasm.loadSigned16(offset)(at)),
      ...t.set(wasm.addEach(wasm.shiftRight(wasm.shiftLeft(bits.get, integer(17)), integer(4)), constant(112 << 23))),
      ...wasm.or(
        wasm.smaller(t.get, wasm.multiplyAdd(t.get, constant(bitsOf(2)), constant(bitsOf(-(2 ** -14))))),
        wasm.and(bits.get, constant(1 << 31)),
      ),
    ]),
  int8: ({ at, scratch }) => ({
    prepared: scratch.flatMap((half, index) => half.set(wasm.loadBytes(8 * index)(at))),
    vectors: scratch.flatMap((half) => [
      wasm.toFloats(wasm.extendLow(half.get)),
      wasm.toFloats(wasm.extendHigh(half.get)),
    ]),
  }),
}

const bitsOf = (value: number): number => new Int32Array(Float32Array.of(value).buffer)[0]!
