import { tf } from '../tensor/tf.ts'

/** How many logits a back end likes to hold at once: fewer cost more passes over the head's weight, more cost memory. */
export interface LogitsAtOnce {
  /** Logits of one piece of the head's work. */
  handy: number
  /** Logits that it may hold so that a piece has `rows` rows, where vocabularies are large. */
  most: number
  rows: number
}

/** Few enough to stay in a processor's last cache, and rows that a product is worth its while with. */
const ofProcessor: LogitsAtOnce = { handy: 2 ** 21, most: 2 ** 23, rows: 128 }

/** What the back end in use says of itself, and otherwise what suits processors. */
export function logitsAtOnce(): LogitsAtOnce {
  const backend: object = tf.backend()
  return 'logitsAtOnce' in backend ? (backend.logitsAtOnce as LogitsAtOnce) : ofProcessor
}
