import type { ModelConfig } from '../../models/model-config.ts'
import { linearOf } from '../../models/tensors.ts'
import { type Calibration, inputKey } from '../calibrate.ts'
import { isSymmetric } from '../quantise/compensated-blocks.ts'
import type { Known } from '../quantise/encode.ts'
import { type Feedback, feedbackOf } from '../quantise/feedback.ts'
import type { ExportTensor } from './plan.ts'

/** What a calibration knows of each tensor's inputs, in the order of the columns of the file. */
export function knowledgeOf(
  { products, squares }: Calibration,
  config: ModelConfig,
): (tensor: ExportTensor) => Known | null {
  // Tensors that read the same follow each other.
  let last: { key: string; feedback: Feedback } | null = null
  return ({ from, columns, type }) => {
    if (!('tensor' in from) || from.tensor.spec.role.part !== 'weight') return null
    const { layer, linears } = from.tensor.spec.role
    const key = inputKey(layer, linearOf(config, layer, linears[0]!).reads)
    const own = squares.get(key)
    if (!own) return null
    const placed = columns ? Float32Array.from(columns, (place) => (place < 0 ? 0 : own[place]!)) : own
    const gram = isSymmetric(type) ? products?.get(key) : undefined
    if (!gram) return { squares: placed, feedback: null }
    if (last?.key !== key) last = { key, feedback: feedbackOf(gram, columns) }
    return { squares: placed, feedback: last.feedback }
  }
}
