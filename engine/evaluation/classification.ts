import { setImmediate } from 'node:timers/promises'
import type { ClassificationScore } from '../contract/index.ts'
import { batchOf, type ImageBatchOptions } from '../data/images/image-batches.ts'
import type { ImageStore } from '../data/images/image-store.ts'
import { type Adapter, lowRankOf } from '../lora/adapter.ts'
import type { LayerMask, Model } from '../models/family.ts'
import { classLogits, embedBatch, forward } from '../models/forward.ts'
import { tf } from '../tensor/tf.ts'
import { type ClassifierPredictions, Tally } from './tally.ts'

export interface ClassifyOptions {
  store: ImageStore
  /** Names of the model's classes, and the model's class of each class of the images. */
  labels: readonly string[]
  classOf: readonly number[]
  batch: Omit<ImageBatchOptions, 'augmentation' | 'seed'>
  adapter?: Adapter | undefined
  masks?: readonly LayerMask[] | undefined
  limit?: number | undefined
  signal: AbortSignal
  onProgress: (done: number, total: number) => void
}

/** Scores a classifier on labelled images: see Tally. */
export async function classify(
  model: Model,
  { store, labels, classOf, batch, adapter, masks, limit, signal, onProgress }: ClassifyOptions,
): Promise<{ score: ClassificationScore; predictions: ClassifierPredictions }> {
  const scored = evenlyOf(store.labels.length, limit)
  const total = scored.length
  const tally = new Tally(labels)
  let computing = 0
  for (let start = 0; start < total; start += batch.rows) {
    // The last batch is filled up with its first image, so that one graph is compiled for all.
    const images = Array.from({ length: batch.rows }, (_, row) => scored[start + row] ?? scored[start]!)
    const part = batchOf(store, images, batch)
    const began = performance.now()
    const logits = logitsOf(model, part, adapter, masks)
    const count = Math.min(batch.rows, total - start)
    // The first batch compiles its graphs.
    if (start > 0) computing += performance.now() - began
    for (let row = 0; row < count; row++) {
      const values = logits.subarray(row * labels.length, (row + 1) * labels.length)
      tally.add(store.images[scored[start + row]!]!, classOf[part.labels[row]!]!, values)
    }
    onProgress(start + count, total)
    await setImmediate()
    signal.throwIfAborted()
  }
  const timed = total - Math.min(batch.rows, total)
  const imagesPerSecond = timed > 0 ? (1000 * timed) / computing : null
  return { score: { ...tally.score(), imagesPerSecond }, predictions: tally.predictions }
}

/** Numbers of all images, or of so many spread over all of them: images of a class follow one another. */
export function evenlyOf(total: number, limit = total): number[] {
  const count = Math.min(total, limit)
  return Array.from({ length: count }, (_, at) => Math.floor((at * total) / count))
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
