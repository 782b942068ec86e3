/** The token and what is left of a fragment such as `#token=abc/library`, or null where it carries none. */
export function splitToken(hash: string): { token: string; rest: string } | null {
  const match = /^#token=([\w-]+)(\/.*)?$/.exec(hash)
  return match?.[1] ? { token: match[1], rest: match[2] ?? '' } : null
}
