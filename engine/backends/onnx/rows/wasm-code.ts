/**
 * The part of WebAssembly's binary format (webassembly.github.io/spec, 3.0: vectors of 128 bits, relaxed ones, threads) that the
 * kernels of this folder need. A stack machine's code is its instructions in the order in which they run.
 */
export type Code = readonly number[]

/** A number from 0 to 2^32 - 1 as LEB128. */
function unsigned(value: number): number[] {
  const bytes: number[] = []
  for (;;) {
    const low = value & 0x7f
    value >>>= 7
    if (value === 0) return [...bytes, low]
    bytes.push(low | 0x80)
  }
}

/** A number of 32 bits as signed LEB128. */
function signed(value: number): number[] {
  const bytes: number[] = []
  for (;;) {
    const low = value & 0x7f
    value >>= 7
    const isWhole = (value === 0 && (low & 0x40) === 0) || (value === -1 && (low & 0x40) !== 0)
    if (isWhole) return [...bytes, low]
    bytes.push(low | 0x80)
  }
}

/** An operation on what the operands leave on the stack, first one first. */
const operation =
  (...opcode: number[]) =>
  (...operands: Code[]): Code => [...operands.flat(), ...opcode]
const vector = (opcode: number, ...rest: number[]) => operation(0xfd, ...unsigned(opcode), ...rest)
/** Reads or writes vectors at an address, which may be any, and a fixed number of bytes after it. */
const access = (opcode: number) => (offset: number) => vector(opcode, 0, ...unsigned(offset))

/** A constant of 32 bits. */
export const integer = (value: number): Code => [0x41, ...signed(value)]
export const float = (value: number): Code => [0x43, ...new Uint8Array(Float32Array.of(value).buffer)]

export const equalIntegers = operation(0x46)
export const addIntegers = operation(0x6a)
export const subtractIntegers = operation(0x6b)
export const multiplyIntegers = operation(0x6c)
export const andIntegers = operation(0x71)
/** Without signs. */
export const shiftRightInteger = operation(0x76)
/** At an address, which is a multiple of four, and a fixed number of bytes after it. */
export const loadInteger = (offset: number) => operation(0x28, 2, ...unsigned(offset))
export const loadFloat = (offset: number) => operation(0x2a, 2, ...unsigned(offset))
export const storeInteger = (offset: number) => operation(0x36, 2, ...unsigned(offset))
export const storeFloat = operation(0x38, 2, 0)
export const addFloats = operation(0x92)
export const multiplyFloats = operation(0x94)

export const load = access(0x00)
export const store = access(0x0b)
/** Four numbers of 16 bits as integers of 32, with their signs. */
export const loadSigned16 = access(0x03)
/** Bytes of two vectors in turns: the first eight of each, or the last. */
export const bytesTogether = (from: 0 | 8) =>
  vector(0x0d, ...Array.from({ length: 8 }, (_, i) => [from + i, 16 + from + i]).flat())
/** The same with numbers of 16 bits: those of the first vector become the low halves of integers of 32 bits. */
export const halvesTogether = (from: 0 | 4) =>
  vector(0x0d, ...[0, 1, 2, 3].flatMap((i) => [0, 1, 16, 17].map((byte) => 2 * (from + i) + byte)))
/** A float in all lanes. */
export const loadSplat = access(0x09)
export const zeros: Code = [0xfd, ...unsigned(0x0c), ...Array<number>(16).fill(0)]
/** An integer in all lanes. */
export const splat = (bits: number): Code => vector(0x11)(integer(bits))
export const lane = (index: number) => vector(0x1f, index)
export const and = vector(0x4e)
export const or = vector(0x50)
/** Of integers of 16 bits; to the right with their signs. */
export const shiftLeft16 = vector(0x8b)
export const shiftRight16 = vector(0x8c)
export const addEach16 = vector(0x8e)
/** All bits of an integer of 16 bits where two are equal, and one bit for each of eight that has its highest bit set. */
export const equalEach16 = vector(0x2d)
export const highestBits16 = vector(0x84)
export const shiftLeft = vector(0xab)
/** Without signs. */
export const shiftRight = vector(0xad)
export const addEach = vector(0xae)
export const add = vector(0xe4)
/** Of floats. */
export const smaller = vector(0xea)
export const toFloats = vector(0xfa)
/** a b + c, rounded once or twice: as the processor is faster. */
export const multiplyAdd = vector(0x105)

/** A local: its value, and its change. */
export interface Local {
  get: Code
  set: (value: Code) => Code
  /** Sets it to its value and that one's sum; integers alone. */
  increase: (value: Code) => Code
}

/** A block and a loop in it; out of the block where what is on the stack holds; the loop again, and the ends of both. */
const leading: Code = [0x02, 0x40, 0x03, 0x40]
const leaving: Code = [0x0d, 1]
const again: Code = [0x0c, 0, 0x0b, 0x0b]
const notLess = operation(0x4f)

/** Repeats the body as long as the local is less than the end, without signs: perhaps never. */
export const whileLess = (local: Local, end: Code, body: Code): Code => [
  ...leading,
  ...notLess(local.get, end),
  ...leaving,
  ...body,
  ...again,
]

/** Does something where a number is not zero. */
export const when = (condition: Code, body: Code): Code => [...condition, 0x04, 0x40, ...body, 0x0b]

/** A function of integers that returns nothing. */
export class WasmFunction {
  readonly parameters: Local[]
  code: Code = []
  #integers = 0
  #vectors = 0
  #isFixed = false

  constructor(parameters: number) {
    this.parameters = Array.from({ length: parameters }, (_, index) => localAt(index))
  }

  /** Integers come before vectors: none is to be had after the first vector. */
  integer(): Local {
    if (this.#isFixed) throw new TypeError('integers come before vectors')
    return localAt(this.parameters.length + this.#integers++)
  }

  vector(): Local {
    this.#isFixed = true
    return localAt(this.parameters.length + this.#integers + this.#vectors++)
  }

  get body(): Code {
    const code = [2, ...unsigned(this.#integers), int32, ...unsigned(this.#vectors), vector128, ...this.code, 0x0b]
    return [...unsigned(code.length), ...code]
  }
}

const [int32, vector128] = [0x7f, 0x7b]

function localAt(index: number): Local {
  const get = [0x20, ...unsigned(index)]
  const set = (value: Code) => [...value, 0x21, ...unsigned(index)]
  return { get, set, increase: (value) => set(addIntegers(get, value)) }
}

/** Pages of 64 KiB that a memory has at most. */
export const mostPages = 65536

const text = (value: string): Code => [value.length, ...new TextEncoder().encode(value)]
const magic: Code = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]

/** A module that exports functions over a shared memory, which it imports as `host.memory`. */
export function wasmModule(functions: Record<string, WasmFunction>): Uint8Array<ArrayBuffer> {
  const all = Object.entries(functions)
  const section = (id: number, items: readonly Code[]): Code => {
    const body = [...unsigned(items.length), ...items.flat()]
    return [id, ...unsigned(body.length), ...body]
  }
  const type = ({ parameters }: WasmFunction) => [0x60, parameters.length, ...parameters.map(() => int32), 0]
  return Uint8Array.from([
    ...magic,
    ...section(
      1,
      all.map(([, each]) => type(each)),
    ),
    ...section(2, [[...text('host'), ...text('memory'), 2, 3, 0, ...unsigned(mostPages)]]),
    ...section(
      3,
      all.map((_, index) => unsigned(index)),
    ),
    ...section(
      7,
      all.map(([name], index) => [...text(name), 0, ...unsigned(index)]),
    ),
    ...section(
      10,
      all.map(([, each]) => each.body),
    ),
  ])
}
