import * as wasm from './wasm-code.ts'
import { type Code, integer, type Local, WasmFunction, whileLess } from './wasm-code.ts'

/** Numbers of a row that are read at a time: what is multiplied is filled up with zeros to a multiple of this. */
export const blockSize = 16
/** Rows that are multiplied with a weight's row at once. */
const widest = 4

/** Kernels of products, by the form of their weights; the last one is for weights of which many are subnormal numbers. */
export const productNames = ['float32', 'float16', 'bfloat16', 'int8', 'subnormal16'] as const
export type ProductName = (typeof productNames)[number]
export const numberBytes: Record<ProductName, number> = { float32: 4, float16: 2, bfloat16: 2, int8: 1, subnormal16: 2 }

/** Places in memory and sizes in bytes, in this order. */
const productParameters = [
  /** Rows of floats, and how far they are apart. */
  'x',
  'xStride',
  'rows',
  /** The weight, how far its rows are apart, and how much of them is read: whole blocks. */
  'w',
  'wStride',
  'wBytes',
  /** A float for each row of the weight; in 8 bits alone. */
  'scales',
  /** Rows of floats, one for each row of the weight. */
  'y',
  'yStride',
  /** Four times the first row of the weight that is multiplied, and the first that is not. */
  'from',
  'to',
] as const
type ProductParameters = Record<(typeof productParameters)[number], Local>

export type ProductArguments = Record<(typeof productParameters)[number], number>
export const productArguments = (given: ProductArguments): number[] => productParameters.map((name) => given[name])

/** Kernels over one memory. */
export type Kernels = Record<ProductName, (...given: number[]) => void> & {
  /**
   * y[i] = sum of p[key] v[key, i] over keys, block by block.
   *
   * @param p floats, and where they end
   * @param v rows of floats, `stride` bytes apart, of which blocks from `y` to `yEnd` are read
   */
  mix: (p: number, pEnd: number, v: number, stride: number, y: number, yEnd: number) => void
}

/** What decoding weights may use beside the stack. */
interface Decoding {
  /** The address of the weights. */
  at: Code
  scratch: readonly [Local, Local]
  /** Bits in all lanes, which stay in a register. */
  constant: (bits: number) => Code
}

const vectorsAt = (offsets: readonly number[], code: (offset: number) => Code) => ({
  prepared: [],
  vectors: offsets.map(code),
})

/** Four weights at an address, and those after them, as vectors of floats. */
const decoded: Record<ProductName, (given: Decoding) => { prepared: Code; vectors: Code[] }> = {
  float32: ({ at }) => vectorsAt([0, 16, 32, 48], (offset) => wasm.load(offset)(at)),
  bfloat16: ({ at }) =>
    vectorsAt([0, 8, 16, 24], (offset) => wasm.shiftLeft(wasm.loadUnsigned16(offset)(at), integer(16))),
  // Sign, exponent and fraction go where float32 has them; 2^112 makes up for what exponents stand for, subnormal numbers'
  // too. Weights are finite: see `Checkpoint.read`.
  float16: ({ at, constant }) =>
    vectorsAt([0, 8, 16, 24], (offset) => {
      const bits = wasm.shiftLeft(wasm.loadSigned16(offset)(at), integer(13))
      return wasm.multiply(wasm.and(bits, constant(0x8fffe000 | 0)), constant(bitsOf(2 ** 112)))
    }),
  // The same without a float that is subnormal itself, for each of which processors of Intel need a hundred cycles. Exponent
  // and fraction go where float32 has them, and 112 is added to the exponent: t, with one bit more than the fraction. A
  // subnormal number has no such bit, and is 2 t - 2^-14; of the others t is the smaller one.
  subnormal16: ({ at, scratch: [bits, t], constant }) =>
    vectorsAt([0, 8, 16, 24], (offset) => [
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

/** The sum of all lanes of two vectors. */
const total = ([one, other]: readonly [Local, Local]): Code => [
  ...one.set(wasm.add(one.get, other.get)),
  ...[1, 2, 3].reduce((sum, index) => wasm.addFloats(sum, wasm.lane(index)(one.get)), wasm.lane(0)(one.get)),
]

/** y[row, output] = sum of x[row, i] w[output, i] over i, times the output's scale in 8 bits. */
function product(name: ProductName): WasmFunction {
  const wanted = new WasmFunction(productParameters.length)
  const given = Object.fromEntries(
    productParameters.map((parameter, index) => [parameter, wanted.parameters[index]!]),
  ) as ProductParameters
  const output = wanted.integer()
  const start = wanted.integer()
  const end = wanted.integer()
  const at = wanted.integer()
  const together = wanted.integer()
  const row = wanted.integer()
  const inputs = Array.from({ length: widest }, () => wanted.integer())
  const weights = wanted.vector()
  const scratch = [wanted.vector(), wanted.vector()] as const
  // Two sums a row, which take turns, so that one need not wait for the other. What a row becomes is the same among others.
  const sums = Array.from({ length: widest }, () => [wanted.vector(), wanted.vector()] as const)

  const constants = new Map<number, Local>()
  const constant = (bits: number): Code => {
    const known = constants.get(bits) ?? wanted.vector()
    constants.set(bits, known)
    return known.get
  }
  const { prepared, vectors } = decoded[name]({ at: at.get, scratch, constant })
  const ofRows = (count: number): Code => {
    const all = sums.slice(0, count)
    const perRow = (code: (index: number, two: readonly [Local, Local]) => Code) =>
      all.flatMap((two, index) => code(index, two))
    const block = [
      ...prepared,
      ...vectors.flatMap((four, index) => [
        ...weights.set(four),
        ...perRow((each, two) => {
          const sum = two[index % 2]!
          return sum.set(wasm.multiplyAdd(weights.get, wasm.load(16 * index)(inputs[each]!.get), sum.get))
        }),
      ]),
      ...at.increase(integer(blockSize * numberBytes[name])),
      ...perRow((each) => inputs[each]!.increase(integer(4 * blockSize))),
    ]
    const placeOf = (first: Local, stride: Local, index: number) =>
      wasm.addIntegers(first.get, wasm.multiplyIntegers(wasm.addIntegers(row.get, integer(index)), stride.get))
    return [
      ...at.set(start.get),
      ...perRow((index, [one, other]) => [
        ...inputs[index]!.set(placeOf(given.x, given.xStride, index)),
        ...one.set(wasm.zeros),
        ...other.set(wasm.zeros),
      ]),
      ...whileLess(at, end, block),
      ...perRow((index, two) => {
        const place = wasm.addIntegers(placeOf(given.y, given.yStride, index), output.get)
        return wasm.storeFloat(place, scaled(total(two)))
      }),
      ...row.increase(integer(count)),
    ]
  }
  const scaled = (sum: Code): Code =>
    name === 'int8' ? wasm.multiplyFloats(sum, wasm.loadFloat(wasm.addIntegers(given.scales.get, output.get))) : sum
  wanted.code = [
    ...[...constants].flatMap(([bits, local]) => local.set(wasm.splat(bits))),
    ...output.set(given.from.get),
    ...start.set(given.w.get),
    ...together.set(wasm.andIntegers(given.rows.get, integer(-widest))),
    ...whileLess(output, given.to, [
      ...end.set(wasm.addIntegers(start.get, given.wBytes.get)),
      ...row.set(integer(0)),
      ...whileLess(row, together, ofRows(widest)),
      ...whileLess(row, given.rows, ofRows(1)),
      ...output.increase(integer(4)),
      ...start.increase(given.wStride.get),
    ]),
  ]
  return wanted
}

function mix(): WasmFunction {
  const wanted = new WasmFunction(6)
  const [p, pEnd, v, stride, y, yEnd] = wanted.parameters as [Local, Local, Local, Local, Local, Local]
  const pAt = wanted.integer()
  const vAt = wanted.integer()
  const share = wanted.vector()
  const sums = Array.from({ length: blockSize / 4 }, () => wanted.vector())
  wanted.code = whileLess(y, yEnd, [
    ...sums.flatMap((sum) => sum.set(wasm.zeros)),
    ...pAt.set(p.get),
    ...vAt.set(v.get),
    ...whileLess(pAt, pEnd, [
      ...share.set(wasm.loadSplat(0)(pAt.get)),
      ...sums.flatMap((sum, index) => sum.set(wasm.multiplyAdd(share.get, wasm.load(16 * index)(vAt.get), sum.get))),
      ...pAt.increase(integer(4)),
      ...vAt.increase(stride.get),
    ]),
    ...sums.flatMap((sum, index) => wasm.store(16 * index)(y.get, sum.get)),
    ...y.increase(integer(4 * blockSize)),
    ...v.increase(integer(4 * blockSize)),
  ])
  return wanted
}

let compiled: WebAssembly.Module | null = null

/** The kernels, which threads share. */
export const kernelModule = (): WebAssembly.Module =>
  (compiled ??= new WebAssembly.Module(
    wasm.wasmModule({ ...Object.fromEntries(productNames.map((name) => [name, product(name)])), mix: mix() }),
  ))

/** The kernels over a shared memory. */
export const kernelsOver = (module: WebAssembly.Module, memory: WebAssembly.Memory): Kernels =>
  new WebAssembly.Instance(module, { host: { memory } }).exports as unknown as Kernels
