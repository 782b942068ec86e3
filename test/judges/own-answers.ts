import { readFileSync } from 'node:fs'
import { openCheckpoint } from '../../engine/models/checkpoint.ts'
import { disposeModel, loadModel } from '../../engine/models/load.ts'
import { openTokenizer } from '../../engine/models/model-tokenizer.ts'
import { generate } from '../../engine/evaluation/generation.ts'
import { Random } from '../../engine/shared/random.ts'
import { sample } from '../e2e/secateur.ts'
import { batchOf, forward } from '../unit/models/shared.ts'
import type { LlamaCppQuestion } from './llama-cpp-program.ts'
import { startBackend } from './ours.ts'

/** What Secateur computes of a checkpoint, for another program to be compared with. */
export interface OwnAnswers {
  /** Of each sequence: the log-likelihood of every token but the first. */
  logLikelihoods: number[][]
  /** Ids after a prompt, greedily. */
  continuation: number[] | undefined
  /** Of texts, without special tokens. */
  ids: number[][]
}

const scoredTokens = 40
const continued = { prompt: 'Once upon a time', tokens: 16 }
/** Whatever tokenizers are known to disagree about: blanks, digits, capitals, accents, scripts, emoji, code. */
const odd = [
  'Hello, world!',
  '  two blanks  and\n\n\tmore   ',
  "It's 3.14159 or 1,000,000; isn't it? WE'LL see",
  'naïve café, Ünïcödé, ﬁ',
  '日本語 and Русский, 한국어',
  '👩‍👩‍👧 🙂',
  'for (let i=0;i<10;++i) { x[i] = "a"; }',
]

/**
 * The same questions for Secateur, which are answered, and for llama.cpp.
 *
 * @param of the checkpoint that Secateur reads, if not the GGUF file
 * @param goesOn whether a greedy continuation is asked for
 */
export async function ownAnswers(
  file: string,
  { of, goesOn }: { of: string; goesOn: boolean },
): Promise<{ own: OwnAnswers; question: LlamaCppQuestion }> {
  await startBackend()
  using checkpoint = openCheckpoint(of)
  const tokenizer = await openTokenizer(checkpoint)
  const model = loadModel(checkpoint)
  const texts = readFileSync(sample('heldout.txt'), 'utf8').split('\n').slice(0, 3)
  const scored = texts.map((text) => tokenizer.encode(text).slice(0, scoredTokens))
  const size = checkpoint.config.vocabularySize
  const logLikelihoods = scored.map((ids) => {
    const targets = [[...ids.slice(1), -1]]
    return logLikelihoodsOf(forward(model, batchOf({ ids: [ids], targets })), ids, size)
  })
  const prompt = tokenizer.encode(continued.prompt)
  const greedy = { tokens: continued.tokens, temperature: 0, topP: 1, random: new Random(0), stop: [] }
  const continuation = goesOn ? (await generate(model, prompt, greedy)).ids : undefined
  disposeModel(model)
  // llama.cpp has no tokenizer that takes several blanks for one, as some of SentencePiece's do.
  const takesBlanksForOne = String(tokenizer.encode('a  b')) === String(tokenizer.encode('a b'))
  const tokenized = odd.filter((text) => !(takesBlanksForOne && /\s\s|^\s|\s$/.test(text)))
  const ids = tokenized.map((text) => tokenizer.encode(text, { specialTokens: false }))
  return {
    own: { logLikelihoods, continuation, ids },
    question: {
      file,
      scored,
      tokenized,
      ...(goesOn ? { continued: { ids: prompt, tokens: continued.tokens } } : {}),
    },
  }
}

/** @param logits [tokens, vocabulary] */
function logLikelihoodsOf(logits: Float32Array, ids: readonly number[], vocabulary: number): number[] {
  return ids.slice(1).map((id, at) => {
    const row = logits.subarray(at * vocabulary, (at + 1) * vocabulary)
    const highest = row.reduce((a, b) => Math.max(a, b))
    return row[id]! - highest - Math.log(row.reduce((sum, value) => sum + Math.exp(value - highest), 0))
  })
}
