import { setImmediate } from 'node:timers/promises'
import type { Proof } from '../contract/index.ts'
import { scoringBatches } from '../evaluation/batching.ts'
import { CausalScoring } from '../evaluation/causal-scoring.ts'
import type { LikelihoodItem } from '../evaluation/scoring-model.ts'
import { type Checkpoint, openCheckpoint } from '../models/checkpoint.ts'
import { disposeModel, loadModelInSlices } from '../models/load.ts'
import { openTokenizer } from '../models/model-tokenizer.ts'
import { SecateurError } from '../shared/errors.ts'
import { Random, randomIds } from '../shared/random.ts'
import { sum } from '../shared/sum.ts'
import type { WorkControl } from '../shared/work-control.ts'
import { proofTexts } from './proof-texts.ts'

/** Tokens of a text that are read at most, and of those that are read at once. */
const longest = 256
/** Of texts made of random ids, where there is no tokenizer. */
const randomTokens = 64

/**
 * Reads a file that was written, runs it and the checkpoint over the same texts, and says how far the log-likelihoods of
 * their tokens are apart. Each model is in memory by itself.
 *
 * @param control.progress texts that are run, of all of both models
 * @throws SecateurError where a model computes no numbers
 */
export async function prove(file: string, checkpoint: Checkpoint, control: WorkControl): Promise<Proof> {
  using written = openCheckpoint(file)
  return await proveWith(file, checkpoint, written.config.maxPositions, control, (items, onText) =>
    likelihoodsOf(written, items, control.signal, onText),
  )
}

/** Log-likelihoods of the tokens of texts, one text after the other. */
type Run = (items: readonly LikelihoodItem[], onText: (done: number) => void) => Promise<number[]>

/**
 * The same of what is run in another way than a checkpoint is.
 *
 * @param positions tokens that it reads at most
 */
export async function proveWith(
  file: string,
  checkpoint: Checkpoint,
  positions: number,
  { signal, progress }: WorkControl,
  run: Run,
): Promise<Proof> {
  // Some formats are for shorter texts than the model; a warning has said so.
  const items = await itemsOf(checkpoint, Math.min(longest, positions, checkpoint.config.maxPositions))
  const total = 2 * items.length
  const expected = await likelihoodsOf(checkpoint, items, signal, (done) => progress(done, total))
  const found = await run(items, (done) => progress(items.length + done, total))
  const differences = expected.map((value, index) => Math.abs(value - found[index]!))
  if (differences.some((value) => !Number.isFinite(value)))
    throw new SecateurError('bad-file', 'computes probabilities that are not numbers once it is read back', { file })
  return {
    texts: items.length,
    tokens: differences.length,
    worst: differences.reduce((most, value) => Math.max(most, value), 0),
    mean: sum(differences) / differences.length,
  }
}

/** Every text with its first token as what comes before. */
async function itemsOf(checkpoint: Checkpoint, tokens: number): Promise<LikelihoodItem[]> {
  const ids = (await hasTokenizer(checkpoint))
    ? await encodedTexts(checkpoint)
    : proofTexts.map((_, index) => randomIds(new Random(index), randomTokens, checkpoint.config.vocabularySize))
  return ids
    .map((each) => each.slice(0, tokens))
    .filter((each) => each.length > 1)
    .map(([first, ...rest]) => ({ prefix: [first!], suffixes: [rest] }))
}

async function hasTokenizer(checkpoint: Checkpoint): Promise<boolean> {
  try {
    await openTokenizer(checkpoint)
    return true
  } catch (error) {
    // Ids do as well: what is proved is the weights.
    if (error instanceof SecateurError) return false
    throw error
  }
}

async function encodedTexts(checkpoint: Checkpoint): Promise<number[][]> {
  const tokenizer = await openTokenizer(checkpoint)
  return proofTexts.map((text) => tokenizer.encode(text))
}

async function likelihoodsOf(
  checkpoint: Checkpoint,
  items: readonly LikelihoodItem[],
  signal: AbortSignal,
  onText: (done: number) => void,
): Promise<number[]> {
  const model = await loadModelInSlices(checkpoint, { signal })
  try {
    const scoring = new CausalScoring(model)
    const values: number[][] = []
    let done = 0
    for (const batch of scoringBatches([...items.entries()], ([, item]) => item, longest)) {
      const found = await scoring.logLikelihoods(batch.map(([, item]) => item))
      for (const [at, [index]] of batch.entries()) values[index] = found[at]!.flat()
      onText((done += batch.length))
      await setImmediate()
      signal.throwIfAborted()
    }
    return values.flat()
  } finally {
    disposeModel(model)
  }
}
