import type { Checkpoint } from '../models/checkpoint.ts'
import { availableMemory } from '../shared/available-memory.ts'
import { SecateurError } from '../shared/errors.ts'
import { sizeText } from '../shared/size-text.ts'
import { sum } from '../shared/sum.ts'

/** Node with the library, and what llama.cpp computes with. */
const programBytes = 110e6
/** Of weights in blocks, what is laid out anew for the processor. */
const laidOutAnew = 0.75
/** Tokens that are computed at once. */
const atOnce = 256

/**
 * Bytes that the process of a model on llama.cpp holds at most.
 *
 * @param file.bytes of its weights
 * @param places tokens of a prompt and of its answer
 */
export function llamaCppMemory(
  { config }: Pick<Checkpoint, 'config'>,
  file: { bytes: number; type: string },
  places: number,
): number {
  const { hiddenSize, headSize, layers, vocabularySize } = config
  const again = file.type === 'f16' ? 0 : laidOutAnew * file.bytes
  // Keys and values in 16 bits.
  const cached = 2 * 2 * places * sum(layers.map(({ keyValueHeads }) => keyValueHeads * headSize))
  const widest = Math.max(...layers.map(({ heads, channels }) => 3 * channels + 4 * heads * headSize))
  return programBytes + file.bytes + again + cached + 4 * (atOnce * (6 * hiddenSize + widest) + 4 * vocabularySize)
}

/** @throws SecateurError with the numbers where it does not fit */
export function requireLlamaCppMemory(bytes: number): void {
  const free = availableMemory()
  if (bytes > free)
    throw new SecateurError(
      'does-not-fit',
      `llama.cpp needs about ${sizeText(bytes)} of memory and ${sizeText(free)} are free: take another type (q8_0 or q4_k_m), a shorter prompt or fewer new tokens`,
    )
}
