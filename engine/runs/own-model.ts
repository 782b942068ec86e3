import type { JobContext } from '../contract/index.ts'
import type { Checkpoint } from '../models/checkpoint.ts'
import type { Model } from '../models/family.ts'
import { loadWeights } from './load-weights.ts'

/** A checkpoint's model on the back end of the run, read when it is first needed. */
export class OwnModel implements Disposable {
  readonly #checkpoint: Checkpoint
  readonly #context: JobContext
  #held = new DisposableStack()
  #model: Promise<Model> | null = null

  constructor(checkpoint: Checkpoint, context: JobContext) {
    this.#checkpoint = checkpoint
    this.#context = context
  }

  get(): Promise<Model> {
    return (this.#model ??= loadWeights(this.#checkpoint, this.#context, this.#held))
  }

  /** Gives its memory back; it is read again where it is needed again. */
  release(): void {
    this.#held.dispose()
    this.#held = new DisposableStack()
    this.#model = null
  }

  [Symbol.dispose](): void {
    this.release()
  }
}
