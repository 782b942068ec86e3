import type { TensorInfo } from '../../../tensor/tf.ts'

export type Element = 'f32' | 'vec4<f32>'

/** What the items of a dispatch read: a tensor that several read is bound once, or twice where it is read in two ways. */
export class SharedBindings {
  readonly tensors: TensorInfo[] = []
  readonly types: Element[] = []

  /** The place of a tensor's binding, one by one or four at once. */
  place(tensor: TensorInfo, fours: boolean): number {
    const type = fours ? 'vec4<f32>' : 'f32'
    const found = this.tensors.findIndex((each, i) => each === tensor && this.types[i] === type)
    if (found >= 0) return found
    this.types.push(type)
    return this.tensors.push(tensor) - 1
  }
}

/** Splits items into runs, each as long as can be while it `fits`. */
export function* runsOf<Item>(
  items: readonly Item[],
  fits: (run: readonly Item[]) => boolean,
): Generator<{ first: number; run: Item[] }> {
  for (let first = 0, end = 1; first < items.length; first = end, end++) {
    while (end < items.length && fits(items.slice(first, end + 1))) end++
    yield { first, run: items.slice(first, end) }
  }
}

/** Variables with the parameters of the item that a workgroup has: `params.NAME0`, `params.NAME1`, ... by group.z. */
export const parametersOfItem = (names: readonly string[], items: number): string => {
  const set = (start: string, i: number) => names.map((name) => `${start}${name} = params.${name}${i};`).join(' ')
  return [
    set('var ', 0),
    ...count(items)
      .slice(1)
      .map((i) => `if (group.z == ${i}u) { ${set('', i)} }`),
  ].join('\n  ')
}

/** Whole numbers from 0 to `size` - 1, to write code out for each. */
export const count = (size: number): number[] => Array.from({ length: size }, (_, i) => i)

/** Code written out so many times, a line each. A lane's values are in named variables: an array would not be in registers. */
export const lines = (times: number, line: (i: number) => string): string => count(times).map(line).join('\n')
