import { type Draft, draftSchema } from './draft.ts'

/** The part of `Storage` that is needed. */
export interface DraftStorage {
  getItem(key: string): string | null
  setItem(key: string, value: string): void
  removeItem(key: string): void
}

/** A form that clones a run has a draft of its own. */
const keyOf = (parentId: number | null) => `secateur.new-run${parentId === null ? '' : `.${parentId}`}`

/** The draft that was being written before a reload; null where there is none that can be read. */
export function readDraft(storage: DraftStorage, parentId: number | null): Draft | null {
  const text = storage.getItem(keyOf(parentId))
  if (text === null) return null
  try {
    const draft = draftSchema.safeParse(JSON.parse(text))
    return draft.success ? draft.data : null
  } catch {
    return null
  }
}

export const keepDraft = (storage: DraftStorage, draft: Draft): void =>
  storage.setItem(keyOf(draft.parentId), JSON.stringify(draft))

export const dropDraft = (storage: DraftStorage, parentId: number | null): void => storage.removeItem(keyOf(parentId))
