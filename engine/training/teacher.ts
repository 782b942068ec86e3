import type { TrainingBatch } from '../data/batches.ts'
import type { Model, Pass } from '../models/family.ts'
import { classLogits, embedBatch, forward, headOf } from '../models/forward.ts'
import type { DistilSettings } from '../ops/distil-loss.ts'
import { type Tensor, tf } from '../tensor/tf.ts'

/** The model that training learns from beside labels: without an adapter and without masks, so the dense one. */
export interface Teacher extends DistilSettings {
  model: Model
}

/** What the teacher makes of a batch. The caller disposes of `output`. */
export interface Lesson extends DistilSettings {
  model: Model
  /** Of a language model its last block's output [rows * length, hidden]; of a model of images its logits [rows, classes]. */
  output: Tensor
}

/**
 * The teacher's forward pass over a batch. One array of [rows * length, hidden] stays of it: its logits are computed beside
 * the student's, some rows at a time.
 *
 * @param pass of the same batch, for the teacher's config
 */
export function lessonOf(teacher: Teacher, batch: TrainingBatch, pass: Pass): Lesson {
  const { model } = teacher
  const last = forward(model, embedBatch(model, batch), pass)
  if (model.family.task === 'causal-lm') return { ...teacher, output: last }
  const output = tf.tidy(() => classLogits(last, model, pass))
  last.dispose()
  return { ...teacher, output }
}

/** A lesson as the loss of a language model's head takes it. */
export const taughtBy = ({ output, model, share, temperature }: Lesson) => ({
  x: output,
  head: headOf(model),
  share,
  temperature,
})
