import type { FrozenWeight } from '../tensor/frozen-weight.ts'
import { tf } from '../tensor/tf.ts'

/** A back end that keeps frozen weights in memory of its own. */
export interface WeightHolder {
  /** Takes the weight now, where there is room for it beside what is there. */
  placeWeight(weight: FrozenWeight): void
  /** Gives back what is held of a weight that is not needed any more. */
  dropWeight(weight: FrozenWeight): void
}

/** The back end in use, where it keeps weights in memory of its own; null where it reads them in host memory. */
export function weightHolder(): WeightHolder | null {
  const backend: object = tf.backend()
  return 'placeWeight' in backend ? (backend as WeightHolder) : null
}
