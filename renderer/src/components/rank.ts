/**
 * How well a name answers a search: 0 where it begins so, 1 where one of its words does, 2 where it holds the search
 * somewhere, 3 where only what else is known of it does. Null: not at all.
 */
export function rankOf(search: string, name: string, more = ''): number | null {
  const wanted = search.trim().toLowerCase()
  const own = name.toLowerCase()
  if (own.startsWith(wanted)) return 0
  if (own.split(/[\s(/-]+/).some((word) => word.startsWith(wanted))) return 1
  if (own.includes(wanted)) return 2
  return more.toLowerCase().includes(wanted) ? 3 : null
}

/** What answers a search, the best answers first and otherwise in the order in which it was given. */
export function bestFirst<Item>(items: readonly Item[], rank: (item: Item) => number | null): Item[] {
  return items
    .map((item) => ({ item, rank: rank(item) }))
    .filter((each): each is { item: Item; rank: number } => each.rank !== null)
    .toSorted((one, other) => one.rank - other.rank)
    .map(({ item }) => item)
}
