import { commonPrefix } from '../data/common-prefix.ts'
import type { Tokenizer } from '../tokenizer/tokenizer-type.ts'
import { SecateurError } from '../shared/errors.ts'
import { stripEnd } from './python-text.ts'
import type { LikelihoodItem } from './scoring-model.ts'
import type { EvaluationMode } from './select.ts'

/** One choice as token ids. */
export interface EncodedRequest {
  context: number[]
  continuation: number[]
}

/** A LikelihoodItem for some choices of a row, and how to read the model's answer. */
export interface PlannedItem {
  item: LikelihoodItem
  /**
   * For each suffix: the choice that it belongs to, how many of its last tokens are the choice's, and whether the choice
   * has more tokens than those.
   */
  parts: { choice: number; scored: number; cut: boolean }[]
}

/**
 * Gives the token ids of a context and of the continuation to score after it; the last context is remembered, so that the
 * choices of a row encode theirs once.
 *
 * - `modern`: both are encoded as one text with the tokenizer's special tokens, and the ids after as many as the context
 *   alone has are the continuation's, even where a token crosses the boundary; blanks at the context's end go to the
 *   continuation before
 * - `legacy`: each is encoded by itself, without special tokens
 */
export function pairEncoder(
  tokenizer: Tokenizer,
  mode: EvaluationMode,
): (context: string, continuation: string) => EncodedRequest {
  const special = mode === 'modern'
  const encode = (text: string) => tokenizer.encode(text, { specialTokens: special })
  const encodeContext = rememberLast(encode)
  const start = () => startToken(tokenizer, special ? ['bosId', 'eosId'] : ['eosId', 'bosId'])

  if (mode === 'legacy') {
    return (context, continuation) => {
      const ids = context === '' ? [] : encodeContext(context)
      return { context: ids.length > 0 ? ids : [start()], continuation: encode(continuation) }
    }
  }
  return (context, continuation) => {
    if (context === '') {
      const ids = tokenizer.encode(continuation, { specialTokens: false })
      return { context: [start()], continuation: ids[0] === start() ? ids.slice(1) : ids }
    }
    const ids = encodeContext(stripEnd(context))
    const joint = encode(context + continuation)
    return { context: ids.length > 0 ? ids : [start()], continuation: joint.slice(ids.length) }
  }
}

function rememberLast(encode: (text: string) => number[]): (text: string) => number[] {
  let last: { text: string; ids: number[] } | null = null
  return (text) => {
    if (last?.text !== text) last = { text, ids: encode(text) }
    return last.ids
  }
}

function startToken(tokenizer: Tokenizer, preferred: ('bosId' | 'eosId')[]): number {
  const id = preferred.map((name) => tokenizer[name]).find((value) => value !== null)
  if (id !== undefined) return id
  throw new SecateurError(
    'unsupported',
    'a text without context cannot be scored: the tokenizer has neither a token that starts a text nor one that ends it',
  )
}

/**
 * The items that score the choices of one row. A sequence longer than the model loses tokens from the left; the last token
 * of a choice is only predicted, so that `maxLength` + 1 tokens fit. A choice that is longer by itself is scored on the
 * tokens that fit. Choices that are cut at the same place share one item,
 * whose prefix is all that their contexts have in common: it is computed once, and where contexts end differently the
 * suffixes start with the rest of them. `where` names the row in the error for a choice without tokens.
 */
export function planRow(requests: readonly EncodedRequest[], maxLength: number, where: string): PlannedItem[] {
  const cut = requests.map((request, choice) => cutLeft(request, maxLength, `${where}, choice ${choice}`))
  const groups: number[][] = []
  for (const [choice, { context, lost }] of cut.entries()) {
    const group = groups.find(([first]) => cut[first!]!.lost === lost && cut[first!]!.context[0] === context[0])
    if (group) group.push(choice)
    else groups.push([choice])
  }
  return groups.map((choices) => {
    const [first, ...others] = choices.map((choice) => cut[choice]!.context)
    const shared = Math.min(first!.length, ...others.map((other) => commonPrefix(first!, other)))
    return {
      item: {
        prefix: first!.slice(0, shared),
        suffixes: choices.map((choice) => [...cut[choice]!.context.slice(shared), ...cut[choice]!.continuation]),
      },
      parts: choices.map((choice) => {
        const scored = cut[choice]!.continuation.length
        return { choice, scored, cut: scored < requests[choice]!.continuation.length }
      }),
    }
  })
}

function cutLeft({ context, continuation }: EncodedRequest, maxLength: number, where: string) {
  if (continuation.length === 0) {
    throw new SecateurError('bad-file', 'has no tokens to score; is its text empty?', { field: where })
  }
  const lost = Math.max(0, context.length + continuation.length - maxLength - 1)
  const kept = [...context, ...continuation].slice(lost)
  const scored = Math.min(continuation.length, maxLength)
  return { context: kept.slice(0, -scored), continuation: kept.slice(-scored), lost }
}
