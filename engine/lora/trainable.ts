import type { Trainable } from '../contract/index.ts'

/** Numbers that a job trains. */
interface Trained {
  /** Of the adapter's pairs. */
  adapter: number
  /** Of a classifier that is trained along; 0 where none is. */
  classifier: number
}

/**
 * What is trained, and its share of the model that is trained, adapter and all. A classifier that is trained is one of the
 * model's own parts and counted once, and one that it took the place of is no part of the model any more.
 *
 * @param model numbers of the model without its adapter, with the classes that are trained
 */
export function trainableOf({ adapter, classifier }: Trained, model: number): Trainable {
  const parameters = adapter + classifier
  return { parameters, fraction: parameters / (model + adapter) }
}
