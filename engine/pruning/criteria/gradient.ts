import type { TrainingBatch } from '../../data/batches.ts'
import { type Tensor, tf } from '../../tensor/tf.ts'
import type { GroupMember } from '../../models/family.ts'
import { type GroupSettings, groupScores, type LayerScores, type Transforms } from '../scores.ts'
import { mapWeightGradients, type WeightGradients } from '../statistics/weight-gradients.ts'
import type { ModelView, SelectionCriterion } from './criterion.ts'

export interface GradientSettings extends GroupSettings {
  /**
   * `element-wise`: sum of |g W|; `vector-wise`: |sum of g W|; `mixed`: sum of |g W - 0.5 h W^2| with h the mean over
   * calibration rows of g^2, which stands for the diagonal of the Hessian.
   */
  gradientForm: 'element-wise' | 'vector-wise' | 'mixed'
}

/** Gradient-guided pruning as in LLM-Pruner (Ma et al., arXiv 2305.11627), on true gradients of the weights. */
export const gradientGuided = (view: ModelView, settings: GradientSettings): SelectionCriterion => ({
  when: 'selection',
  score: async () => gradientScores(view, await view.calibration(), settings),
})

/** First-order Taylor scores of every group. Gradients of base weights are formed one block at a time. */
export function gradientScores(
  view: ModelView,
  batches: readonly TrainingBatch[],
  settings: GradientSettings,
): LayerScores[] {
  const { model, adapter } = view
  const mixed = settings.gradientForm === 'mixed'
  return mapWeightGradients(model, adapter, batches, { masks: view.masks(), squares: mixed }, (layer, found) =>
    groupScores(
      model.config,
      layer,
      settings,
      (member) => featureSums(found, member, settings.gradientForm),
      transforms(settings),
    ),
  )
}

function featureSums(found: WeightGradients, { linear, along }: GroupMember, form: GradientSettings['gradientForm']) {
  const [weight, gradient] = [found.weights[linear]!, found.gradients[linear]!]
  const axis = along === 'rows' ? 1 : 0
  return tf.tidy((): Tensor => {
    const first = tf.mul(gradient, weight)
    if (form === 'vector-wise') return tf.sum(first, axis)
    const squares = found.squares?.[linear]
    const change = squares ? tf.sub(first, tf.mul(tf.mul(squares, 0.5), tf.square(weight))) : first
    return tf.sum(tf.abs(change), axis)
  })
}

/** The vector of a group spans its linear layers where these are added up; otherwise each has its own. */
function transforms({ gradientForm, reduction }: GradientSettings): Transforms {
  if (gradientForm !== 'vector-wise') return {}
  return reduction === 'sum' || reduction === 'mean' ? { finish: Math.abs } : { each: Math.abs }
}
