import { diffWordsWithSpace } from 'diff'

export interface DiffPart {
  readonly text: string
  /** `added`: only in this text; `removed`: only in the one that it is held against. */
  readonly change: 'same' | 'added' | 'removed'
}

/** Beyond it a comparison word by word takes too long to wait for. */
const longest = 20_000

/** How a text differs from another one, word by word; as it stands where one is too long to compare. */
export function differences(reference: string, text: string): DiffPart[] {
  if (reference.length + text.length > longest) return [{ text, change: 'same' }]
  return diffWordsWithSpace(reference, text).map(({ value, added, removed }) => ({
    text: value,
    change: added ? 'added' : removed ? 'removed' : 'same',
  }))
}
