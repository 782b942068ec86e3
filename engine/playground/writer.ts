import type { LoadedModel, WritingInput, WritingSettings, Written, WrittenPiece } from '../contract/index.ts'

/** How an answer is heard, and ended before its time. */
export interface WritingControl {
  signal: AbortSignal
  onPiece: (piece: WrittenPiece) => void
}

/** A prompt and an answer that a model must have room for before it is loaded. */
export const usualWork = { kind: 'generate', prompt: 512, maxNewTokens: 256 } as const

/** A model that is loaded and writes: what every program that can run one offers to the playground. */
export interface Writer extends Disposable {
  readonly facts: LoadedModel
  /** Bytes that are held outside this process. */
  readonly heldBytes: number
  /** Whether it can write no more: what ran it has ended. */
  readonly isOver: boolean
  /**
   * Writes one answer. Texts of a model are written one after the other.
   *
   * @throws SecateurError where the input is empty, too long or no chat that the template takes, and where it does not fit
   */
  write(input: WritingInput, settings: WritingSettings, control: WritingControl): Promise<Written>
}
