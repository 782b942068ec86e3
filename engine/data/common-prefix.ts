/** Length of what two texts, or two lists of ids, begin with alike; at most `limit`. */
export function commonPrefix<T extends string | readonly number[]>(a: T, b: T, limit = b.length): number {
  let length = 0
  while (length < limit && length < a.length && a[length] === b[length]) length++
  return length
}
