/** Entries that have every word that was typed, those that begin with the first of them before the others. */
export function matching<Entry extends { label: string; detail?: string }>(
  entries: readonly Entry[],
  typed: string,
): Entry[] {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean)
  const found = entries
    .map((entry) => ({ entry, text: `${entry.label} ${entry.detail ?? ''}`.toLowerCase() }))
    .filter(({ text }) => words.every((word) => text.includes(word)))
  const begins = ({ text }: { text: string }) => text.startsWith(words[0] ?? '')
  return [...found.filter(begins), ...found.filter((one) => !begins(one))].map(({ entry }) => entry)
}
