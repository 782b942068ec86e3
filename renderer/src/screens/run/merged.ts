/** The list with what is new in it; what has the same key takes its place. */
export function merged<Item>(list: readonly Item[], items: readonly Item[], keyOf: (item: Item) => unknown): Item[] {
  const keys = new Set(items.map(keyOf))
  return [...list.filter((item) => !keys.has(keyOf(item))), ...items]
}
