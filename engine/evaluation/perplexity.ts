import { setImmediate } from 'node:timers/promises'
import type { Tokenizer } from '../tokenizer/tokenizer-type.ts'
import { SecateurError, badFile, badSetting } from '../shared/errors.ts'
import { type Corpus, type CorpusKind, readCorpus } from './corpus.ts'
import type { LikelihoodItem, ScoringModel } from './scoring-model.ts'

export interface PerplexityOptions {
  /** Tokens in a window (default 128, as LLM-Pruner's tables). Always shown beside a perplexity. */
  window?: number
  /**
   * From the start of a window to the start of the next, at most `window` (default: `window`, so that none overlap and
   * the first token of each is not scored, as published). With a smaller one each later window scores its last `stride`
   * tokens, and the others are context.
   */
  stride?: number
  /** Windows to measure at most, from the start (default all). */
  limit?: number
  /** How the file's rows become one text (default: told from the file). */
  corpus?: CorpusKind
  /** Whether the tokenizer's special tokens (Llama: BOS) stand at the very start of the text (default true). */
  specialTokens?: boolean
  /** Tokens in a batch (default 2048). */
  batchTokens?: number
  /** Called after every batch: windows measured so far, and of how many. */
  onProgress?: (progress: { done: number; total: number }) => void
  signal?: AbortSignal
}

export interface Perplexity {
  /** exp of the mean loss over all scored tokens. */
  value: number
  /** Mean loss in nats. */
  loss: number
  /** Tokens of the whole text, special ones included. */
  tokens: number
  /** Tokens that a loss was taken of. */
  scored: number
  windows: number
  corpus: CorpusKind
  /** In words, what was measured. */
  protocol: string
  warnings: string[]
}

/**
 * Perplexity of a text as LLM-Pruner and LoRAPrune measure it: the text is encoded once and cut into windows without
 * overlap, what is left over is dropped, and the mean is over the losses of all windows.
 * Errors: a file that cannot be read, one with less text than a window, a window that the model cannot read.
 */
export async function measurePerplexity(
  model: ScoringModel,
  tokenizer: Tokenizer,
  file: string,
  options: PerplexityOptions = {},
): Promise<Perplexity> {
  const { window = 128, stride = window, specialTokens = true, batchTokens = 2048, signal } = options
  const { corpus, ids } = await encodeCorpus(file, tokenizer, model.maxLength, options)
  const total = Math.min(countWindows(ids.length, window, stride), options.limit ?? Infinity)
  let [done, sum, scored] = [0, 0, 0]
  for (const batch of batchesOf(
    tokenWindows(ids, window, stride, total),
    Math.max(1, Math.floor(batchTokens / window)),
  )) {
    signal?.throwIfAborted()
    for (const losses of (await model.logLikelihoods(batch)).flat()) {
      for (const value of losses) sum -= value
      scored += losses.length
    }
    if (Number.isNaN(sum)) {
      throw new SecateurError(
        'bad-file',
        'the model computes probabilities that are not numbers; are its weights damaged?',
      )
    }
    done += batch.length
    options.onProgress?.({ done, total })
    await setImmediate()
  }
  return {
    value: Math.exp(sum / scored),
    loss: sum / scored,
    tokens: ids.length,
    scored,
    windows: done,
    corpus: corpus.kind,
    protocol: describe(window, stride, specialTokens, total, countWindows(ids.length, window, stride)),
    warnings: corpus.warnings,
  }
}

/**
 * A text, and its ids.
 *
 * @throws SecateurError as measurePerplexity does
 */
export async function encodeCorpus(
  file: string,
  tokenizer: Tokenizer,
  maxLength: number,
  { window = 128, stride = window, specialTokens = true, limit, corpus: kind, signal }: PerplexityOptions,
): Promise<{ corpus: Corpus; ids: number[] }> {
  checkSettings(window, stride, limit, maxLength)
  const corpus = await readCorpus(file, kind, signal)
  // A stop that came meanwhile is heard before the encoding, which takes minutes of a long text.
  await setImmediate()
  signal?.throwIfAborted()
  const ids = tokenizer.encode(corpus.text, { specialTokens })
  if (ids.length >= window) return { corpus, ids }
  throw badFile(file, undefined, `holds ${ids.length} tokens, less than one window of ${window}; give a longer text`)
}

/** Windows of a text, in order; each scores what no earlier window has. */
export function* tokenWindows(
  ids: readonly number[],
  window: number,
  stride = window,
  limit = Infinity,
): Generator<LikelihoodItem> {
  const total = Math.min(countWindows(ids.length, window, stride), limit)
  for (let index = 0; index < total; index++) {
    const start = index * stride
    const context = index === 0 ? 1 : Math.max(1, window - stride)
    yield { prefix: ids.slice(start, start + context), suffixes: [ids.slice(start + context, start + window)] }
  }
}

const countWindows = (tokens: number, window: number, stride: number) =>
  tokens < window ? 0 : Math.floor((tokens - window) / stride) + 1

function* batchesOf<T>(entries: Iterable<T>, size: number): Generator<T[]> {
  let batch: T[] = []
  for (const entry of entries) {
    batch.push(entry)
    if (batch.length < size) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

function checkSettings(window: number, stride: number, limit: number | undefined, maxLength: number) {
  if (!Number.isInteger(window) || window < 2 || window > maxLength) {
    throw badSetting('window', `must be from 2 to the ${maxLength} tokens that the model reads, not ${window}`)
  }
  if (!Number.isInteger(stride) || stride < 1 || stride > window) {
    throw badSetting('stride', `must be from 1 to the window of ${window} tokens, not ${stride}`)
  }
  if (limit !== undefined && !(Number.isInteger(limit) && limit > 0)) {
    throw badSetting('limit', `must be a whole number of windows above 0, not ${limit}`)
  }
}

function describe(window: number, stride: number, specialTokens: boolean, measured: number, all: number): string {
  return [
    stride === window ? `windows of ${window} tokens without overlap` : `windows of ${window} tokens, stride ${stride}`,
    specialTokens ? 'special tokens at the start of the text only' : 'no special tokens',
    ...(measured < all ? [`the first ${measured} of ${all} windows`] : []),
  ].join(', ')
}
