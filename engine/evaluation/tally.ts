import type { ClassificationScore } from '../contract/index.ts'
import { type LabelledImage, nameOf } from '../data/images/labelled-images.ts'
import { SecateurError } from '../shared/errors.ts'
import { likeliest, logSumExp } from '../training/logits.ts'
import { mean, standardError } from './statistics.ts'

/** What the model says of images, column by column: a value an image. */
export interface ClassifierPredictions {
  /** Names of the model's classes, which the other fields count from 0. */
  classes: readonly string[]
  images: LabelledImage[]
  labels: number[]
  predicted: number[]
  /** How many classes are likelier than the label. */
  ranks: number[]
  /** Natural logarithms of the probabilities of the label and of the predicted class. */
  logLikelihoods: { label: number[]; predicted: number[] }
}

/** Confusion is told of models with at most so many classes. */
const mostConfused = 200

/**
 * Top-1 and top-5 accuracy, accuracy of each class and confusion, from logits. Of classes with the same logit the one with the
 * lower number counts as the larger, as torch.topk mostly has it.
 */
export class Tally {
  readonly predictions: ClassifierPredictions

  /** @param classes names of the model's classes, in the order of its logits */
  constructor(classes: readonly string[]) {
    const logLikelihoods = { label: [], predicted: [] }
    this.predictions = { classes, images: [], labels: [], predicted: [], ranks: [], logLikelihoods }
  }

  /**
   * Counts an image.
   *
   * @param logits one a class
   * @param label number of the image's class
   * @throws SecateurError where the logits are not numbers
   */
  add(image: LabelledImage, label: number, logits: Float32Array): void {
    const logSum = logSumExp(logits)
    if (!Number.isFinite(logSum))
      throw new SecateurError(
        'bad-file',
        `the model's logits of ${nameOf(image)} are not numbers; are its weights damaged?`,
      )
    const { images, labels, predicted, ranks, logLikelihoods } = this.predictions
    const first = likeliest(logits)
    images.push(image)
    labels.push(label)
    predicted.push(first)
    ranks.push(rankOf(logits, label))
    logLikelihoods.label.push(logits[label]! - logSum)
    logLikelihoods.predicted.push(logits[first]! - logSum)
  }

  /** Of all images that were counted, one at least. */
  score(): Omit<ClassificationScore, 'imagesPerSecond'> {
    const { classes, labels, predicted, ranks } = this.predictions
    const correct = ranks.map((rank) => (rank === 0 ? 1 : 0))
    const counts = classes.map((name) => ({ name, n: 0, correct: 0 }))
    const confusion = classes.map(() => new Int32Array(classes.length <= mostConfused ? classes.length : 0))
    for (const [at, label] of labels.entries()) {
      counts[label]!.n++
      counts[label]!.correct += correct[at]!
      if (classes.length <= mostConfused) confusion[label]![predicted[at]!]!++
    }
    return {
      top1: mean(correct),
      top5: mean(ranks.map((rank) => (rank < 5 ? 1 : 0))),
      stderr: standardError(correct),
      n: labels.length,
      answers: correct.join(''),
      perClass: counts.map(({ name, n, correct: right }) => ({ name, n, acc: n === 0 ? null : right / n })),
      ...(classes.length <= mostConfused && { confusion: confusion.map((row) => [...row]) }),
    }
  }
}

/** How many classes are likelier than one. */
function rankOf(values: Float32Array, label: number): number {
  const own = values[label]!
  let rank = 0
  for (const [i, value] of values.entries()) if (value > own || (value === own && i < label)) rank++
  return rank
}
