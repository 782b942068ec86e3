import { setImmediate } from 'node:timers/promises'
import { type Preview, type PreviewRow, previewTokens, type ParsedServiceParams } from '../contract/index.ts'
import type { Row } from '../data/rows.ts'
import { failureOf, type SecateurError } from '../shared/errors.ts'
import type { WorkControl } from '../shared/work-control.ts'
import type { Tokenizer } from '../tokenizer/tokenizer-type.ts'
import { type EncodedRow, openRows } from './row-encoder.ts'

/** Rows of a data file as the model will see them, token by token. A row that cannot be used says why in its place. */
export async function previewDataset(
  params: ParsedServiceParams<'previewDataset'>,
  context: WorkControl,
): Promise<Preview> {
  const { offset, limit } = params
  const rows: PreviewRow[] = []
  let index = 0
  const showBad = (error: SecateurError, count: number) => {
    // Of a whole row group that cannot be read, one row says so.
    if (index >= offset && rows.length < limit) rows.push(refusedRow(index, error))
    index += count
  }
  const { tokenizer, rows: source, encode } = await openRows(params, context, showBad)
  for await (const row of source) {
    if (index % 256 === 255) {
      await setImmediate()
      context.signal.throwIfAborted()
    }
    if (rows.length === limit) return { rows, more: true }
    if (index >= offset) rows.push(previewOf(row, index, tokenizer, encode))
    index++
  }
  return { rows, more: false }
}

function previewOf(
  row: Row,
  index: number,
  tokenizer: Tokenizer,
  encode: (row: Row, index: number) => EncodedRow | null,
): PreviewRow {
  try {
    const encoded = encode(row, index)
    if (!encoded) return { index, tokens: [], tokenCount: 0, truncated: false }
    const { ids, trained, choices } = encoded
    const shown = ids.subarray(0, previewTokens)
    const texts = tokenTexts(shown, tokenizer)
    return {
      index,
      tokens: Array.from(shown, (id, at) => ({ id, text: texts[at]!, target: trained[at] === 1 })),
      tokenCount: ids.length,
      truncated: ids.length > shown.length,
      ...(choices ? { choices } : {}),
    }
  } catch (error) {
    return refusedRow(index, error)
  }
}

const refusedRow = (index: number, error: unknown): PreviewRow => ({
  index,
  tokens: [],
  tokenCount: 0,
  truncated: false,
  error: failureOf(error),
})

/** Tokens before a token whose text is sought that are decoded with it: they decide about spaces between words. */
const contextTokens = 4
/** A character has four bytes at most, each a token of its own at worst. */
const longestCharacter = 4

/** The text that each token adds to those before it. A character that several tokens share belongs to its last one. */
export function tokenTexts(ids: ArrayLike<number>, tokenizer: Pick<Tokenizer, 'decode' | 'token'>): string[] {
  const all = Array.from(ids)
  const texts: string[] = []
  let whole = 0
  for (let at = 0; at < all.length; at++) {
    const first = Math.max(0, whole - contextTokens)
    const decode = (end: number) => tokenizer.decode(all.slice(first, end), { keepSpecialTokens: true })
    const before = decode(whole)
    const now = decode(at + 1)
    if (now.endsWith('\uFFFD') && at + 1 - whole < longestCharacter && at + 1 < all.length) {
      texts.push('')
      continue
    }
    texts.push(now.startsWith(before) ? now.slice(before.length) : tokenizer.token(all[at]!))
    whole = at + 1
  }
  return texts
}
