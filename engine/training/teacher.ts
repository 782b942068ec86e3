import type { TrainingBatch } from '../data/batches.ts'
import type { Model, Pass } from '../models/family.ts'
import { classLogits, embedBatch, forward, headOf, logits } from '../models/forward.ts'
import type { TeachingSettings } from '../ops/distil-loss.ts'
import { findTop, type TopRows } from '../ops/distil-top.ts'
import type { Taught } from '../ops/head-loss.ts'
import { type Tensor, tf } from '../tensor/tf.ts'
import { headRows } from './head-rows.ts'

/** The model that training learns from beside labels: without an adapter and without masks, so the dense one. */
export interface Teacher extends TeachingSettings {
  model: Model
  /** Whether it is the model itself that is trained, and not another one. */
  isDense?: boolean
  /** Where it is kept which tokens the teacher finds likeliest: those alone are learnt from, and a batch is read once. */
  cache?: TopCache | undefined
}

/** What a teacher finds likeliest in sequences that it has read. */
export interface TopCache {
  /** Tokens of each position. */
  readonly k: number
  /** Of the sequences of a batch; null where one of them is not known. */
  find(batch: TrainingBatch): TopRows | null
  /** Keeps what the teacher makes of the sequences of a batch. */
  add(batch: TrainingBatch, top: TopRows): void
}

/** What the teacher makes of a batch. */
export type Lesson = TeachingSettings &
  (
    | {
        model: Model
        /** Of a language model its last block's output [rows * length, hidden]; of a model of images its logits [rows, classes]. */
        output: Tensor
      }
    /** Of all positions [rows * length]. */
    | { top: TopRows }
  )

/**
 * The teacher's forward pass over a batch. One array of [rows * length, hidden] stays of it: its logits are computed beside
 * the student's, some rows at a time. With a cache its likeliest tokens stay, and a batch that is there is not read again.
 *
 * @param makePass what all its blocks share, for the same batch
 */
export function lessonOf(teacher: Teacher, batch: TrainingBatch, makePass: () => Pass): Lesson {
  const { model, cache, share, temperature, hidden } = teacher
  const settings = { share, temperature, hidden }
  const known = cache?.find(batch)
  if (known) return { ...settings, top: known }
  using pass = makePass()
  const last = forward(model, embedBatch(model, batch), pass)
  if (model.family.task === 'causal-lm') {
    if (!cache) return { ...settings, model, output: last }
    const top = topOf(last, model, cache.k, temperature)
    last.dispose()
    cache.add(batch, top)
    // Of sequences that were there before, what was: so that a run that is resumed finds what it had.
    return { ...settings, top: cache.find(batch) ?? top }
  }
  const output = tf.tidy(() => classLogits(last, model, pass))
  last.dispose()
  return { ...settings, model, output }
}

/** The k likeliest tokens after each position of the last block's output [n, hidden]. */
function topOf(last: Tensor, model: Model, k: number, temperature: number): TopRows {
  const n = last.shape[0]!
  const { vocabularySize } = model.config
  const top = { k, ids: new Int32Array(n * k), shares: new Float32Array(n * k) }
  const rows = headRows(n, vocabularySize)
  for (let start = 0; start < n; start += rows) {
    const scores = tf.tidy(() => logits(tf.slice(last, [start, 0], [rows, last.shape[1]!]), model))
    findTop(scores.dataSync() as Float32Array, vocabularySize, temperature, top, start)
    scores.dispose()
  }
  return top
}

/** A lesson as the loss of a language model's head takes it. */
export const taughtBy = (lesson: Lesson): Taught =>
  'top' in lesson ? lesson : { ...lesson, x: lesson.output, head: headOf(lesson.model) }

/** Lets go of what a lesson holds on the back end. */
export function disposeLesson(lesson: Lesson | undefined): void {
  if (lesson && 'output' in lesson) lesson.output.dispose()
}
