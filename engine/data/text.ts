import type { Tokenizer } from '../tokenizer/tokenizer-type.ts'
import type { EncodedExample } from './example.ts'
import type { Row } from './rows.ts'

/** Fields that hold a document, best first: data sets of the Hugging Face hub, PTB, and what crawlers write. */
export const textFields = ['text', 'sentence', 'content', 'document']

/**
 * The document of a row, or null where no field holds one. `field` names it; otherwise the first of `textFields` that
 * holds text counts.
 */
export function textOf(row: Row, field?: string): string | null {
  const name = field ?? textFields.find((candidate) => typeof row[candidate] === 'string')
  const value = name === undefined ? undefined : row[name]
  return typeof value === 'string' ? value : null
}

/**
 * A document as the tokenizer encodes it (Llama: BOS in front), EOS behind. Every token is to be learnt but the first,
 * which follows nothing.
 */
export function encodeText(text: string, tokenizer: Tokenizer): EncodedExample {
  const ids = tokenizer.encode(text)
  if (tokenizer.eosId !== null && ids.at(-1) !== tokenizer.eosId) ids.push(tokenizer.eosId)
  const trained = new Uint8Array(ids.length).fill(1)
  trained[0] = 0
  return { ids: Int32Array.from(ids), trained }
}
