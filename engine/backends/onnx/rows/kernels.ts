import type { FrozenForm } from '../../../tensor/frozen-weight.ts'
import * as wasm from './wasm-code.ts'
import { type Code, integer, type Local, WasmFunction, whileLess } from './wasm-code.ts'

/** Numbers of a row that are read at a time: what is multiplied is filled up with zeros to a multiple of this. */
export const blockSize = 16
/** Rows that are multiplied with a weight's row at once. */
const widest = 4

export const forms: readonly FrozenForm[] = ['float32', 'float16', 'bfloat16', 'int8']
export const numberBytes: Record<FrozenForm, number> = { float32: 4, float16: 2, bfloat16: 2, int8: 1 }

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
export type Kernels = Record<FrozenForm, (...given: number[]) => void> & {
  /**
   * y[i] = sum of p[key] v[key, i] over keys, block by block.
   *
   * @param p floats, and where they end
   * @param v rows of floats, `stride` bytes apart, of which blocks from `y` to `yEnd` are read
   */
  mix: (p: number, pEnd: number, v: number, stride: number, y: number, yEnd: number) => void
}

/** Four weights at an address, and those after them, as vectors of floats. */
const decoded: Record<FrozenForm, (at: Code, halves: readonly [Local, Local]) => { prepared: Code; vectors: Code[] }> =
  {
    float32: (at) => ({ prepared: [], vectors: [0, 16, 32, 48].map((offset) => wasm.load(offset)(at)) }),
    bfloat16: (at) => ({
      prepared: [],
      vectors: [0, 8, 16, 24].map((offset) => wasm.shiftLeft(wasm.loadUnsigned16(offset)(at), integer(16))),
    }),
    // Sign, exponent and fraction go where float32 has them; 2^112 makes up for what exponents stand for, subnormal numbers'
    // too. Weights are finite: see `Checkpoint.read`.
    float16: (at) => ({
      prepared: [],
      vectors: [0, 8, 16, 24].map((offset) => {
        const bits = wasm.shiftLeft(wasm.loadSigned16(offset)(at), integer(13))
        return wasm.multiply(wasm.and(bits, wasm.splat(0x8fffe000 | 0)), wasm.splat(0x77800000))
      }),
    }),
    int8: (at, halves) => ({
      prepared: halves.flatMap((half, index) => half.set(wasm.loadBytes(8 * index)(at))),
      vectors: halves.flatMap((half) => [
        wasm.toFloats(wasm.extendLow(half.get)),
        wasm.toFloats(wasm.extendHigh(half.get)),
      ]),
    }),
  }

/** The sum of all lanes of two vectors. */
const total = ([one, other]: readonly [Local, Local]): Code => [
  ...one.set(wasm.add(one.get, other.get)),
  ...[1, 2, 3].reduce((sum, index) => wasm.addFloats(sum, wasm.lane(index)(one.get)), wasm.lane(0)(one.get)),
]

/** y[row, output] = sum of x[row, i] w[output, i] over i, times the output's scale in 8 bits. */
function product(form: FrozenForm): WasmFunction {
  const wanted = new WasmFunction(productParameters.length)
  const given = Object.fromEntries(
    productParameters.map((name, index) => [name, wanted.parameters[index]!]),
  ) as ProductParameters
  const output = wanted.integer()
  const start = wanted.integer()
  const end = wanted.integer()
  const at = wanted.integer()
  const together = wanted.integer()
  const row = wanted.integer()
  const inputs = Array.from({ length: widest }, () => wanted.integer())
  const weights = wanted.vector()
  const halves = [wanted.vector(), wanted.vector()] as const
  // Two sums a row, which take turns, so that one need not wait for the other. What a row becomes is the same among others.
  const sums = Array.from({ length: widest }, () => [wanted.vector(), wanted.vector()] as const)

  const { prepared, vectors } = decoded[form](at.get, halves)
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
      ...at.increase(integer(blockSize * numberBytes[form])),
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
    form === 'int8' ? wasm.multiplyFloats(sum, wasm.loadFloat(wasm.addIntegers(given.scales.get, output.get))) : sum
  wanted.code = [
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
    wasm.wasmModule({ ...Object.fromEntries(forms.map((form) => [form, product(form)])), mix: mix() }),
  ))

/** The kernels over a shared memory. */
export const kernelsOver = (module: WebAssembly.Module, memory: WebAssembly.Memory): Kernels =>
  new WebAssembly.Instance(module, { host: { memory } }).exports as unknown as Kernels
