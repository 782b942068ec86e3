import type { Checkpoint } from '../models/checkpoint.ts'
import { SecateurError } from '../shared/errors.ts'
import type { LlamaCpp } from './installed.ts'
import type { OpenControl } from './open-control.ts'
import { type Opened, openOnLlamaCpp, type OpenSettings } from './open.ts'
import { passedText } from './start.ts'

/** What was measured so far is of a build that cannot run the rest: all is to be measured again, on the next one. */
export class MeasureAgain extends Error {}

/**
 * The one build of llama.cpp for models whose speeds are laid side by side: a card beside a processor would compare these, and
 * not the checkpoints. It is the build that the first model was opened on.
 */
export class OneBuild {
  readonly #canMeasureAgain: boolean
  readonly #open: typeof openOnLlamaCpp
  #kept: LlamaCpp | undefined
  /** Builds that were passed over, in words, and those that could not run all. */
  #passed: readonly string[] = []
  readonly #left = new Set<LlamaCpp['build']>()

  /** @param canMeasureAgain whether `MeasureAgain` is heard; else what one build cannot run is an error */
  constructor({ canMeasureAgain, open = openOnLlamaCpp }: { canMeasureAgain: boolean; open?: typeof openOnLlamaCpp }) {
    this.#canMeasureAgain = canMeasureAgain
    this.#open = open
  }

  /**
   * Opens a model as `openOnLlamaCpp` does.
   *
   * @throws MeasureAgain where a card ran those before it, and cannot run this one
   * @throws SecateurError as `openOnLlamaCpp` does
   */
  async open(
    checkpoint: Checkpoint,
    builds: readonly LlamaCpp[],
    settings: Omit<OpenSettings, 'passed'>,
    control: OpenControl,
  ): Promise<Opened> {
    const kept = this.#kept
    const tried = kept ? [kept] : builds.filter(({ build }) => !this.#left.has(build))
    try {
      const opened = await this.#open(checkpoint, tried, { ...settings, passed: this.#passed }, control)
      this.#kept = opened.llama
      this.#passed = opened.ran.passed ?? []
      return opened
    } catch (error) {
      const isSaid = error instanceof SecateurError && error.kind !== 'interrupted'
      if (!this.#canMeasureAgain || !isSaid || kept === undefined || kept.build === 'processor') throw error
      this.#left.add(kept.build)
      this.#passed = [...this.#passed, passedText(kept, error)]
      this.#kept = undefined
      throw new MeasureAgain(error.message)
    }
  }
}
