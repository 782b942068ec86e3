import { badSetting } from '../shared/errors.ts'
import { Random } from '../shared/random.ts'
import type { EncodedExample } from './example.ts'
import type { TrainingData } from './load-types.ts'

/** Training data with some documents taken out. */
export interface HeldOut {
  training: EncodedExample[]
  heldOut: EncodedExample[]
  /** Numbers of the rows that are held out, over all files and counted from 1. */
  rows: ReadonlySet<number>
}

/**
 * Takes documents out of the training data, drawn by the seed. A document that was divided leaves whole.
 *
 * @param share fraction of the documents, or how many of them where it is 1 or more
 * @throws SecateurError where nothing would be left to train on
 */
export function holdOut(
  { examples, documentRows, documentStarts }: TrainingData,
  share: number,
  seed: number,
): HeldOut {
  const count = documentRows.length
  const held = heldOutCount(count, share)
  const drawn = new Random(seed).fork('validation').permutation(count).subarray(0, held)
  const isHeld = new Uint8Array(count)
  for (const document of drawn) isHeld[document] = 1
  const parts: [EncodedExample[], EncodedExample[]] = [[], []]
  for (const [document, start] of documentStarts.entries())
    for (let at = start; at < (documentStarts[document + 1] ?? examples.length); at++)
      parts[isHeld[document]!]!.push(examples[at]!)
  return {
    training: parts[0],
    heldOut: parts[1],
    rows: new Set(Array.from(drawn, (document) => documentRows[document]!)),
  }
}

/** Training data of which everything is trained on. */
export const nothingHeldOut = ({ examples }: TrainingData): HeldOut => ({
  training: examples,
  heldOut: [],
  rows: new Set(),
})

/** How many of so many documents are held out. @throws SecateurError where nothing would be left to train on */
export function heldOutCount(count: number, share: number): number {
  const held = share < 1 ? Math.max(1, Math.round(share * count)) : share
  if (held < count) return held
  throw badSetting('validation', `${held} of ${count} rows would be held out, and none be left to train on: take fewer`)
}

/** The examples of all documents but those of some rows. */
export function examplesWithout(
  { examples, documentRows, documentStarts }: TrainingData,
  rows: ReadonlySet<number>,
): EncodedExample[] {
  if (rows.size === 0) return examples
  return documentRows.flatMap((row, document) =>
    rows.has(row) ? [] : examples.slice(documentStarts[document], documentStarts[document + 1]),
  )
}
