import { setImmediate } from 'node:timers/promises'
import type { ClassificationScore } from '../contract/index.ts'
import { batchOf, type ImageBatchOptions } from '../data/images/image-batches.ts'
import type { ImageStore } from '../data/images/image-store.ts'
import { type Adapter, lowRankOf } from '../lora/adapter.ts'
import type { LayerMask, Model } from '../models/family.ts'
import { classLogits, embedBatch, forward } from '../models/forward.ts'
import { tf } from '../tensor/tf.ts'
import { likeliest, logSumExp } from '../training/logits.ts'
import { standardError } from './statistics.ts'

/** What the model says of a picture. */
export interface Prediction {
  task: 'images'
  file: string
  label: string
  predicted: string
  /** Natural logarithms of the label's and of the predicted class's probability. */
  logLikelihoods: { label: number; predicted: number }
}

export interface ClassifyOptions {
  store: ImageStore
  /** Names of the model's classes, and the model's class of each class of the pictures. */
  labels: readonly string[]
  classOf: readonly number[]
  batch: Omit<ImageBatchOptions, 'augmentation' | 'seed'>
  adapter?: Adapter | undefined
  masks?: readonly LayerMask[] | undefined
  limit?: number | undefined
  signal: AbortSignal
  onProgress: (done: number, total: number) => void
}

/** Confusion is told of models with at most so many classes. */
const mostConfused = 200

/**
 * Top-1 and top-5 accuracy on labelled pictures. Of classes with the same logit the one with the lower number counts as the
 * larger, as torch.topk mostly has it.
 */
export async function classify(
  model: Model,
  { store, labels, classOf, batch, adapter, masks, limit, signal, onProgress }: ClassifyOptions,
): Promise<{ score: ClassificationScore; predictions: Prediction[] }> {
  const total = Math.min(store.labels.length, limit ?? Infinity)
  const predictions: Prediction[] = []
  const correct: number[] = []
  let amongFive = 0
  const perClass = labels.map((name) => ({ name, n: 0, correct: 0 }))
  const confusion = labels.map(() => new Int32Array(labels.length <= mostConfused ? labels.length : 0))
  let computing = 0
  for (let start = 0; start < total; start += batch.rows) {
    // The last batch is filled up with its first picture, so that one graph is compiled for all.
    const images = Array.from({ length: batch.rows }, (_, row) => (start + row < total ? start + row : start))
    const part = batchOf(store, images, batch)
    const began = performance.now()
    const logits = logitsOf(model, part, adapter, masks)
    const count = Math.min(batch.rows, total - start)
    // The first batch compiles its graphs.
    if (start > 0) computing += performance.now() - began
    for (let row = 0; row < count; row++) {
      const values = logits.subarray(row * labels.length, (row + 1) * labels.length)
      const label = classOf[part.labels[row]!]!
      const rank = rankOf(values, label)
      const predicted = likeliest(values)
      const logSum = logSumExp(values)
      perClass[label]!.n++
      if (rank === 0) perClass[label]!.correct++
      if (rank < 5) amongFive++
      if (confusion[label]!.length > 0) confusion[label]![predicted]!++
      correct.push(rank === 0 ? 1 : 0)
      predictions.push({
        task: 'images',
        file: store.files[start + row]!,
        label: labels[label]!,
        predicted: labels[predicted]!,
        logLikelihoods: { label: values[label]! - logSum, predicted: values[predicted]! - logSum },
      })
    }
    onProgress(start + count, total)
    await setImmediate()
    signal.throwIfAborted()
  }
  const timed = total - Math.min(batch.rows, total)
  const score = {
    top1: correct.reduce((sum, value) => sum + value, 0) / total,
    top5: amongFive / total,
    stderr: standardError(correct),
    n: total,
    answers: correct.join(''),
    perClass: perClass.map(({ name, n, correct: right }) => ({ name, n, acc: n === 0 ? null : right / n })),
    ...(labels.length <= mostConfused && { confusion: confusion.map((row) => [...row]) }),
    imagesPerSecond: timed > 0 ? (1000 * timed) / computing : null,
  }
  return { score, predictions }
}

function logitsOf(
  model: Model,
  batch: ReturnType<typeof batchOf>,
  adapter: Adapter | undefined,
  masks: readonly LayerMask[] | undefined,
): Float32Array {
  using pass = model.family.makePass(model.config, batch.rows, batch.length)
  const x = forward(model, embedBatch(model, batch), pass, {
    extras: (layer) => ({ lowRank: adapter && lowRankOf(adapter, layer), mask: masks?.[layer] }),
  })
  const logits = tf.tidy(() => classLogits(x, model, pass, adapter?.classifier))
  const values = logits.dataSync() as Float32Array
  tf.dispose([x, logits])
  return values
}

/** How many classes are likelier than one. */
function rankOf(values: Float32Array, label: number): number {
  const own = values[label]!
  let rank = 0
  for (const [i, value] of values.entries()) if (value > own || (value === own && i < label)) rank++
  return rank
}
