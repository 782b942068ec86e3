import type { Checkpoint } from '../models/checkpoint.ts'
import { availableMemory } from '../shared/available-memory.ts'
import { SecateurError } from '../shared/errors.ts'
import { sizeText } from '../shared/size-text.ts'
import { sum } from '../shared/sum.ts'

/** Node with the library, and what llama.cpp computes with. */
const programBytes = 110e6
/** The same with the driver of a graphics card, which compiles for the card and keeps what it compiled. */
const cardProgramBytes = 400e6
/** What a card holds of a program beside weights, keys and values and what is computed. */
const cardBytesBeside = 64e6
/** Of weights in blocks, what is laid out anew for the processor. */
const laidOutAnew = 0.75
/** Tokens that are computed at once. */
const atOnce = 256

/** A checkpoint as llama.cpp holds it. */
interface Held {
  config: Checkpoint['config']
  file: {
    /** Of its weights. */
    bytes: number
    type: string
  }
  /** Tokens of a prompt and of its answer. */
  places: number
}

/** Bytes that the process of a model on llama.cpp holds at most, where the processor computes. */
export function llamaCppMemory({ config, file, places }: Held): number {
  const again = file.type === 'f16' ? 0 : laidOutAnew * file.bytes
  return (
    programBytes + file.bytes + again + cachedBytes(config, places) + computedBytes(config) + 16 * config.vocabularySize
  )
}

/** Bytes that are held on graphics cards where these compute. */
export const cardMemory = ({ config, file, places }: Held): number =>
  // Logits of all tokens that are computed at once have their place there.
  cardBytesBeside +
  file.bytes +
  cachedBytes(config, places) +
  computedBytes(config) +
  4 * atOnce * config.vocabularySize

/**
 * Bytes that the process holds beside that: a file is read through memory that the system takes back, but for the embedding,
 * which stays with the processor.
 *
 * @param unified whether the card has no memory of its own
 */
export function memoryBesideCard(held: Held, unified: boolean): number {
  const { config, file } = held
  const embedding = Math.min(file.bytes, 2 * config.vocabularySize * config.hiddenSize)
  return cardProgramBytes + embedding + 16 * config.vocabularySize + (unified ? cardMemory(held) : 0)
}

/** Of keys and values, in 16 bits. */
const cachedBytes = ({ layers, headSize }: Held['config'], places: number): number =>
  2 * 2 * places * sum(layers.map(({ keyValueHeads }) => keyValueHeads * headSize))

/** Of what is between the layers and in one of them. */
function computedBytes({ hiddenSize, headSize, layers }: Held['config']): number {
  const widest = Math.max(...layers.map(({ heads, channels }) => 3 * channels + 4 * heads * headSize))
  return 4 * atOnce * (6 * hiddenSize + widest)
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
