/** Tags with those typed, separated by commas, after them; each once, whatever its case, at most 60 characters and 50 tags. */
export function addTags(tags: readonly string[], typed: string): string[] {
  const all = [...tags]
  for (const part of typed.split(',')) {
    const tag = part.trim().replaceAll(/\s+/g, ' ').slice(0, 60)
    if (tag && !all.some((other) => other.toLowerCase() === tag.toLowerCase())) all.push(tag)
  }
  return all.slice(0, 50)
}
