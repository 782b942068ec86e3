import { blockSize, exponent16, type ProductName, productNames } from './decode.ts'
import { product } from './product-kernel.ts'
import * as wasm from './wasm-code.ts'
import { integer, type Local, WasmFunction, when, whileLess } from './wasm-code.ts'

/** Of an entry of `SmallWeights`: two integers and a float. */
export const entryBytes = 12

/** Kernels over one memory. */
export type Kernels = Record<ProductName, (...given: number[]) => void> & {
  /**
   * y[i] = sum of p[key] v[key, i] over keys, block by block.
   *
   * @param p floats, and where they end
   * @param v rows of floats, `stride` bytes apart, of which blocks from `y` to `yEnd` are read
   */
  mix: (p: number, pEnd: number, v: number, stride: number, y: number, yEnd: number) => void
  /**
   * Writes down eights of numbers of 16 bits among which some have no bit of `exponent16`: their address, and a bit for each such
   * number. A zero comes after the last one.
   */
  findSmall: (numbers: number, end: number, found: number) => void
  /** y[output] += missing x[input] for all entries: see `SmallWeights`. */
  addEntries: (entry: number, end: number, x: number, y: number) => void
}

function findSmall(): WasmFunction {
  const wanted = new WasmFunction(3)
  const [numbers, end, found] = wanted.parameters as [Local, Local, Local]
  const small = wanted.integer()
  const exponent = wanted.vector()
  const exponents = wasm.and(wasm.load(0)(numbers.get), exponent.get)
  wanted.code = [
    ...exponent.set(wasm.splat(exponent16 * 0x10001)),
    ...whileLess(numbers, end.get, [
      ...small.set(wasm.highestBits16(wasm.equalEach16(exponents, wasm.zeros))),
      ...when(small.get, [
        ...wasm.storeInteger(0)(found.get, numbers.get),
        ...wasm.storeInteger(4)(found.get, small.get),
        ...found.increase(integer(8)),
      ]),
      ...numbers.increase(integer(16)),
    ]),
    ...wasm.storeInteger(0)(found.get, integer(0)),
  ]
  return wanted
}

function addEntries(): WasmFunction {
  const wanted = new WasmFunction(4)
  const [entry, end, x, y] = wanted.parameters as [Local, Local, Local, Local]
  const output = wanted.integer()
  const input = wasm.loadFloat(0)(wasm.addIntegers(x.get, wasm.loadInteger(4)(entry.get)))
  const term = wasm.multiplyFloats(wasm.loadFloat(8)(entry.get), input)
  wanted.code = whileLess(entry, end.get, [
    ...output.set(wasm.addIntegers(y.get, wasm.loadInteger(0)(entry.get))),
    ...wasm.storeFloat(output.get, wasm.addFloats(wasm.loadFloat(0)(output.get), term)),
    ...entry.increase(integer(entryBytes)),
  ])
  return wanted
}

function mix(): WasmFunction {
  const wanted = new WasmFunction(6)
  const [p, pEnd, v, stride, y, yEnd] = wanted.parameters as [Local, Local, Local, Local, Local, Local]
  const pAt = wanted.integer()
  const vAt = wanted.integer()
  const share = wanted.vector()
  const sums = Array.from({ length: blockSize / 4 }, () => wanted.vector())
  wanted.code = whileLess(y, yEnd.get, [
    ...sums.flatMap((sum) => sum.set(wasm.zeros)),
    ...pAt.set(p.get),
    ...vAt.set(v.get),
    ...whileLess(pAt, pEnd.get, [
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
    wasm.wasmModule({
      ...Object.fromEntries(productNames.map((name) => [name, product(name)])),
      mix: mix(),
      findSmall: findSmall(),
      addEntries: addEntries(),
    }),
  ))

/** The kernels over a shared memory. */
export const kernelsOver = (module: WebAssembly.Module, memory: WebAssembly.Memory): Kernels =>
  new WebAssembly.Instance(module, { host: { memory } }).exports as unknown as Kernels
