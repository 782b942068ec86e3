import { diffWordsWithSpace } from 'diff'

export interface DiffPart {
  readonly text: string
  /** `added`: only in this text; `removed`: only in the one that it is held against. */
  readonly change: 'same' | 'added' | 'removed'
}

/** Beyond it a comparison word by word takes too long to wait for. */
const longest = 20_000

/** Of the characters of both texts, as many must be shared for marks to be read. */
const leastShared = 0.25

/** Whether two texts share enough for their differences to be read word by word. */
export function isReadable(parts: readonly DiffPart[]): boolean {
  const length = ({ text }: DiffPart) => text.trim().length
  const all = parts.reduce((sum, part) => sum + length(part) * (part.change === 'same' ? 2 : 1), 0)
  const shared = parts.reduce((sum, part) => sum + (part.change === 'same' ? 2 * length(part) : 0), 0)
  return all === 0 || shared === all || shared / all >= leastShared
}

/** How a text differs from another one, word by word; as it stands where one is too long to compare. */
export function differences(reference: string, text: string): DiffPart[] {
  if (reference.length + text.length > longest) return [{ text, change: 'same' }]
  return diffWordsWithSpace(reference, text).map(({ value, added, removed }) => ({
    text: value,
    change: added ? 'added' : removed ? 'removed' : 'same',
  }))
}
