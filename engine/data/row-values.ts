/** A row that is a conversation, but cannot be trained on as it stands: says where in the row, and what to do. */
export class ConversationError extends Error {}

/** @throws ConversationError */
export function refuse(place: string, message: string): never {
  throw new ConversationError(`${place}: ${message}`)
}

export const isText = (value: unknown): value is string => typeof value === 'string'

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Whether a field says anything: tables write null, false, an empty list or empty JSON in rows that lack it. */
export function isFilled(value: unknown): boolean {
  if (value === undefined || value === null) return false
  if (isText(value)) return !['', '[]', '{}', 'null'].includes(value.trim())
  if (Array.isArray(value)) return value.some(isFilled)
  return isRecord(value) ? Object.values(value).some(isFilled) : value !== false
}

/** A list, or one that is written as JSON text; null for anything else. */
export function listOf(value: unknown): unknown[] | null {
  if (Array.isArray(value)) return value as unknown[]
  if (!isText(value)) return null
  try {
    const parsed: unknown = JSON.parse(value)
    return Array.isArray(parsed) ? (parsed as unknown[]) : null
  } catch {
    return null
  }
}

export const kindOf = (value: unknown): string =>
  Array.isArray(value) ? 'a list' : value === null ? 'null' : isRecord(value) ? 'an object' : `a ${typeof value}`
