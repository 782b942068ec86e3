import { productNames } from './decode.ts'
import type { Kernels } from './kernels.ts'

/** Where the threads of a crew find what there is to do: places in the integers that they share. */
export const place = {
  /** Changes with every product; idle threads wait for it. */
  turn: 0,
  /** The next part that nobody has begun. */
  next: 1,
  /** Threads that look for parts, or work on one. */
  active: 2,
  /** Threads that are there. */
  alive: 3,
  parts: 4,
  /** Four times the rows of the weight in a part, and in all. */
  partSize: 5,
  size: 6,
  bank: 7,
  kernel: 8,
  given: 9,
} as const
export const controlSize = 32
/** Of `next`: more than there are ever parts. Nothing else of a product is read before a part is to be had. */
export const exhausted = 2 ** 30

/** Places of `from` and `to` in the arguments of a product. */
const [fromPlace, toPlace] = [9, 10]

/** Works on parts of the product that is written down as long as there are any. */
export function workOnParts(control: Int32Array, kernelsOf: (bank: number) => Kernels): void {
  const given: number[] = []
  for (;;) {
    const part = Atomics.add(control, place.next, 1)
    if (part >= Atomics.load(control, place.parts)) return
    if (given.length === 0) for (let i = 0; i <= toPlace; i++) given.push(control[place.given + i]!)
    const from = part * control[place.partSize]!
    const to = Math.min(control[place.size]!, from + control[place.partSize]!)
    // The weight's first row is that of the part.
    const w = given[3]! + (from / 4) * given[4]!
    kernelsOf(control[place.bank]!)[productNames[control[place.kernel]!]!](
      ...given.with(3, w).with(fromPlace, from).with(toPlace, to),
    )
  }
}
