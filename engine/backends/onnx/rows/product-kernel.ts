import { blockSize, decoded, int8Scale, numberBytes, type ProductName } from './decode.ts'
import * as wasm from './wasm-code.ts'
import { type Code, integer, type Local, WasmFunction, whileLess } from './wasm-code.ts'

/** Rows that are multiplied with a weight's row at once. */
const widest = 4
/**
 * Parts of a weight whose rows are multiplied with a row that is alone, one of each part at once: memory is read faster in
 * several places, in each of which it is read on and on, and what is multiplied is loaded once for all of them. As many as leave
 * their sums in registers.
 */
const several: Record<ProductName, number> = { float32: 4, bfloat16: 4, float16: 4, int8: 4, subnormal16: 2 }

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

export type ProductArguments = Record<(typeof productParameters)[number], number>
export const productArguments = (given: ProductArguments): number[] => productParameters.map((name) => given[name])

/** y[row, output] = sum of x[row, i] w[output, i] over i, times the output's scale in 8 bits. */
export function product(name: ProductName): WasmFunction {
  const locals = new Locals(name)
  const { given, output, start, end, row } = locals
  const code = [
    ...output.set(given.from.get),
    ...start.set(given.w.get),
    ...inParts(locals),
    ...whileLess(output, given.to.get, [
      ...end.set(wasm.addIntegers(start.get, given.wBytes.get)),
      ...row.set(integer(0)),
      ...whileLess(row, wasm.andIntegers(given.rows.get, integer(-widest)), ofRows(widest, locals)),
      ...whileLess(row, given.rows.get, ofRows(1, locals)),
      ...output.increase(integer(4)),
      ...start.increase(given.wStride.get),
    ]),
  ]
  locals.wanted.code = [...locals.constants, ...code]
  return locals.wanted
}

/** Two sums, which take turns, so that one need not wait for the other. */
type Sums = readonly [Local, Local]

/** What a product computes with. */
class Locals {
  readonly name: ProductName
  readonly wanted = new WasmFunction(productParameters.length)
  readonly given = Object.fromEntries(
    productParameters.map((name, index) => [name, this.wanted.parameters[index]!]),
  ) as Record<(typeof productParameters)[number], Local>
  /** Four times the row of the weight that is multiplied, where it lies, and where what is read of it ends. */
  readonly output = this.wanted.integer()
  readonly start = this.wanted.integer()
  readonly end = this.wanted.integer()
  readonly row = this.wanted.integer()
  /** How far parts of the weight are apart, in outputs as above and in bytes. */
  readonly apart = this.wanted.integer()
  readonly apartBytes = this.wanted.integer()
  /** Blocks of rows of the weight, and of what they are multiplied with. */
  readonly blocks = Array.from({ length: widest }, () => this.wanted.integer())
  readonly inputs = Array.from({ length: widest }, () => this.wanted.integer())
  readonly weights = this.wanted.vector()
  readonly scratch = [this.wanted.vector(), this.wanted.vector()] as const
  /** A block of a row that is alone. */
  readonly x = Array.from({ length: blockSize / 4 }, () => this.wanted.vector())
  readonly sums = Array.from({ length: widest }, (): Sums => [this.wanted.vector(), this.wanted.vector()])
  readonly #constants = new Map<number, Local>()

  constructor(name: ProductName) {
    this.name = name
  }

  /** Decodes a block, vector by vector, with code after each that takes it from `weights`. */
  decode(block: Local, use: (index: number) => Code): Code {
    const constant = (bits: number): Code => {
      const known = this.#constants.get(bits) ?? this.wanted.vector()
      this.#constants.set(bits, known)
      return known.get
    }
    const { prepared, vectors } = decoded[this.name]({ at: block.get, scratch: this.scratch, constant })
    const all = vectors.flatMap((vector, index) => [...this.weights.set(vector), ...use(index)])
    return [...prepared, ...all, ...block.increase(integer(blockSize * numberBytes[this.name]))]
  }

  /** Gives constants their values: what decoding has asked for by now. */
  get constants(): Code {
    return [...this.#constants].flatMap(([bits, local]) => local.set(wasm.splat(bits)))
  }

  /** Adds what `weights` holds times a vector to the sum whose turn it is. What a row becomes is the same in every way. */
  add(sums: Sums, index: number, vector: Code): Code {
    const sum = sums[index % 2]!
    return sum.set(wasm.multiplyAdd(this.weights.get, vector, sum.get))
  }

  /** Writes what sums have come to for the current output of a part. */
  write(sums: Sums, row: Code, part = 0): Code {
    const { given, output, apart } = this
    const inPart = wasm.addIntegers(output.get, wasm.multiplyIntegers(apart.get, integer(part)))
    const placeIn = (start: Code) => wasm.addIntegers(start, part === 0 ? output.get : inPart)
    const place = placeIn(wasm.addIntegers(given.y.get, wasm.multiplyIntegers(row, given.yStride.get)))
    const sum = total(sums)
    if (this.name !== 'int8') return wasm.storeFloat(place, sum)
    const whole = wasm.multiplyFloats(sum, wasm.float(int8Scale))
    return wasm.storeFloat(place, wasm.multiplyFloats(whole, wasm.loadFloat(0)(placeIn(given.scales.get))))
  }
}

const cleared = (sums: readonly Sums[]): Code => sums.flat().flatMap((sum) => sum.set(wasm.zeros))

/** The sum of all lanes of two vectors. */
const total = ([one, other]: Sums): Code => [
  ...one.set(wasm.add(one.get, other.get)),
  ...[1, 2, 3].reduce((sum, index) => wasm.addFloats(sum, wasm.lane(index)(one.get)), wasm.lane(0)(one.get)),
]

/** A row that is alone, with all rows of the weight but a few at its end: none where there are more rows. */
function inParts(locals: Locals): Code {
  const { given, output, start, apart, apartBytes } = locals
  const parts = several[locals.name]
  const outputs = wasm.shiftRightInteger(wasm.subtractIntegers(given.to.get, given.from.get), integer(Math.log2(parts)))
  const isAlone = wasm.equalIntegers(given.rows.get, integer(1))
  return [
    ...apart.set(wasm.multiplyIntegers(wasm.andIntegers(outputs, integer(-4)), isAlone)),
    ...apartBytes.set(wasm.multiplyIntegers(wasm.shiftRightInteger(apart.get, integer(2)), given.wStride.get)),
    ...whileLess(output, wasm.addIntegers(given.from.get, apart.get), ofParts(parts, locals)),
    ...output.increase(wasm.multiplyIntegers(apart.get, integer(parts - 1))),
    ...start.increase(wasm.multiplyIntegers(apartBytes.get, integer(parts - 1))),
  ]
}

/** A row that is alone, with a row of each part of the weight. */
function ofParts(count: number, locals: Locals): Code {
  const { given, start, end, output, apartBytes, x } = locals
  const blocks = locals.blocks.slice(0, count)
  const sums = locals.sums.slice(0, count)
  const input = locals.inputs[0]!
  return [
    ...end.set(wasm.addIntegers(start.get, given.wBytes.get)),
    ...blocks.flatMap((block, part) =>
      block.set(wasm.addIntegers(start.get, wasm.multiplyIntegers(apartBytes.get, integer(part)))),
    ),
    ...input.set(given.x.get),
    ...cleared(sums),
    ...whileLess(blocks[0]!, end.get, [
      ...x.flatMap((vector, index) => vector.set(wasm.load(16 * index)(input.get))),
      ...input.increase(integer(4 * blockSize)),
      ...blocks.flatMap((block, part) =>
        locals.decode(block, (index) => locals.add(sums[part]!, index, x[index]!.get)),
      ),
    ]),
    ...sums.flatMap((two, part) => locals.write(two, integer(0), part)),
    ...output.increase(integer(4)),
    ...start.increase(given.wStride.get),
  ]
}

/** Some rows, from the current one on, with one row of the weight. */
function ofRows(count: number, locals: Locals): Code {
  const { given, start, end, row } = locals
  const block = locals.blocks[0]!
  const inputs = locals.inputs.slice(0, count)
  const sums = locals.sums.slice(0, count)
  const rowAfter = (index: number) => wasm.addIntegers(row.get, integer(index))
  return [
    ...block.set(start.get),
    ...inputs.flatMap((input, index) =>
      input.set(wasm.addIntegers(given.x.get, wasm.multiplyIntegers(rowAfter(index), given.xStride.get))),
    ),
    ...cleared(sums),
    ...whileLess(block, end.get, [
      ...locals.decode(block, (index) =>
        sums.flatMap((two, which) => locals.add(two, index, wasm.load(16 * index)(inputs[which]!.get))),
      ),
      ...inputs.flatMap((input) => input.increase(integer(4 * blockSize))),
    ]),
    ...sums.flatMap((two, which) => locals.write(two, rowAfter(which))),
    ...row.increase(integer(count)),
  ]
}
