import { flushBackend } from '../backends/extras.ts'
import type { TrainingBatch } from '../data/batches.ts'
import type { MatrixPair } from '../lora/adapter.ts'
import type { Model, Pass } from '../models/family.ts'
import { classLogits, headOf } from '../models/forward.ts'
import { crossEntropy } from '../ops/cross-entropy.ts'
import { distilLoss } from '../ops/distil-loss.ts'
import { headLossAndGradient, lossOfHead } from '../ops/head-loss.ts'
import { type Tensor, tf } from '../tensor/tf.ts'
import { headRows } from './head-rows.ts'
import { type Lesson, taughtBy } from './teacher.ts'

export interface HeadLoss {
  /** Scalar: this batch's share of the mean loss. */
  loss: Tensor
  /** With respect to the last block's output. */
  gradient: Tensor
  /** With respect to a classifier that is trained. */
  classifier: MatrixPair | null
}

/**
 * The loss of the last block's output and its gradient; disposes of x. Logits over a vocabulary are computed in pieces, so that
 * all of them never exist at once.
 *
 * @param x [rows * length, hidden]
 * @param classifier takes the place of the model's own, and is trained
 * @param lesson what a teacher made of the same batch
 */
export function headLoss(
  x: Tensor,
  model: Model,
  batch: TrainingBatch,
  pass: Pass,
  divisor: Tensor,
  classifier: MatrixPair | null,
  lesson?: Lesson,
): HeadLoss {
  const labels = tf.tensor1d(batch.labels, 'int32')
  const result = 'patches' in batch ? ofClasses() : ofTokens()
  flushBackend()
  tf.dispose([x, labels])
  return result

  function ofTokens(): HeadLoss {
    const rows = headRows(x.shape[0]!, model.config.vocabularySize)
    const options = { teacher: lesson && taughtBy(lesson), afterPiece: flushBackend }
    return { ...headLossAndGradient(x, headOf(model), labels, divisor, rows, options), classifier: null }
  }
  function ofClasses(): HeadLoss {
    const variables = classifier ? [classifier.a, classifier.b] : []
    const { value, grads } = tf.valueAndGrads(
      (output: Tensor, a?: Tensor, b?: Tensor) =>
        tapedLoss(output, model, labels, pass, divisor, a && b ? { a, b } : null, lesson) as never,
    )([x, ...variables])
    const [gradient, a, b] = grads as [Tensor, Tensor?, Tensor?]
    return { loss: value as Tensor, gradient, classifier: a && b ? { a, b } : null }
  }
}

/** The same loss as an operation that gradients pass through. */
export function tapedLoss(
  x: Tensor,
  model: Model,
  labels: Tensor,
  pass: Pass,
  divisor: Tensor,
  classifier: MatrixPair | null,
  lesson?: Lesson,
): Tensor {
  if (model.family.task === 'image-classification') {
    const logits = classLogits(x, model, pass, classifier)
    return lesson && 'output' in lesson
      ? distilLoss(logits, lesson.output, labels, divisor, lesson)
      : crossEntropy(logits, labels, divisor)
  }
  const rows = headRows(x.shape[0]!, model.config.vocabularySize)
  return lossOfHead(x, headOf(model), labels, divisor, rows, lesson && taughtBy(lesson))
}
