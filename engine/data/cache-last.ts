/** Caches the results for the last two arguments: a batch never touches more epochs at once, unless the data is tiny. */
export function cacheLastTwo<T, Key = number>(compute: (key: Key) => T): (key: Key) => T {
  const kept = new Map<Key, T>()
  return (key) => {
    const known = kept.get(key)
    if (known !== undefined) return known
    const value = compute(key)
    kept.set(key, value)
    if (kept.size > 2) kept.delete(kept.keys().next().value!)
    return value
  }
}
