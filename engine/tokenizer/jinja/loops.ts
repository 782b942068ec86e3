import { integer, isMissing, itemsOf, kindOf, mapping, method, missing, boolean, type Value } from './values.ts'

/** What `break` and `continue` throw, with what the iteration wrote before it. */
export class LoopControl extends Error {
  readonly ends: boolean
  written = ''

  constructor(ends: boolean) {
    super('break and continue stand in a loop')
    this.ends = ends
  }
}

/** A loop's variables by name, for one item. @throws TypeError where the item has another number of parts */
export function unpacked(names: readonly string[], item: Value, isTuple: boolean): [string, Value][] {
  if (!isTuple) return [[names[0]!, item]]
  if (isMissing(item)) throw new TypeError('an undefined value has no parts')
  const parts = itemsOf(item)
  if (parts.length !== names.length)
    throw new TypeError(
      `a loop takes ${names.length} parts of each item, and a ${kindOf(item)} of ${parts.length} came`,
    )
  return names.map((name, index) => [name, parts[index]!])
}

/** What a loop's body sees as `loop`. */
export function loopOf(items: readonly Value[], index: number): Value {
  const { length } = items
  const known: Record<string, Value> = {
    index: integer(index + 1),
    index0: integer(index),
    revindex: integer(length - index),
    revindex0: integer(length - index - 1),
    first: boolean(index === 0),
    last: boolean(index === length - 1),
    length: integer(length),
    depth: integer(1),
    depth0: integer(0),
    previtem: items[index - 1] ?? missing(),
    nextitem: items[index + 1] ?? missing(),
    cycle: method((values) => values[index % values.length] ?? missing()),
  }
  return mapping(new Map(Object.entries(known)))
}

/** Names that a loop's variable has: `x`, or `key, value`. @throws TypeError where it is anything else */
export function loopNames(variable: { type: string; value?: unknown }): string[] {
  const parts = variable.type === 'TupleLiteral' ? (variable.value as { type: string; value?: unknown }[]) : [variable]
  return parts.map(({ type, value }) => {
    if (type !== 'Identifier' || typeof value !== 'string') throw new TypeError('a loop has names as its variables')
    return value
  })
}
