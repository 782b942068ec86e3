import { SecateurError } from '../../shared/errors.ts'
import { parseAs, parseJson } from '../../shared/files.ts'
import { greeting, longestMessage, messageSchema, type RelayMessage } from './messages.ts'

/** A message, with the bytes that follow it where it is a piece of a file. */
export interface Frame {
  message: RelayMessage
  bytes: Buffer
}

/** Bytes that shells may print before a relay says that it is there. */
const mostNoise = 1 << 16
const newline = 10

/** Takes apart what a relay prints, which may be cut anywhere. Nothing of it is believed before it is parsed. */
export class FrameReader {
  readonly #input: AsyncIterator<Buffer>
  readonly #where: string
  /** Read and not used yet, the oldest first. */
  #held: Buffer[] = []
  #heldBytes = 0

  /** @param where what stands in errors for the other side */
  constructor(input: AsyncIterable<Buffer>, where: string) {
    this.#input = input[Symbol.asyncIterator]()
    this.#where = where
  }

  /**
   * What a relay says of itself first; null where the other side ends without it.
   *
   * @throws SecateurError where something else is said at too much length
   */
  async greeting(): Promise<unknown> {
    for (let noise = 0; noise < mostNoise;) {
      const line = await this.#line(mostNoise)
      if (line === null) return null
      const text = line.toString('utf8')
      if (text.startsWith(greeting)) return parseJson(text.slice(greeting.length), this.#where)
      noise += line.length + 1
    }
    throw this.#wrong('its shell prints without end')
  }

  /**
   * The next message; null at the end.
   *
   * @throws SecateurError where it is none
   */
  async next(): Promise<Frame | null> {
    const line = await this.#line(longestMessage)
    if (line === null) return null
    const message = parseAs(messageSchema, parseJson(line.toString('utf8'), this.#where), this.#where)
    if (message.type !== 'file') return { message, bytes: Buffer.alloc(0) }
    const bytes = await this.#take(message.length)
    return bytes && { message, bytes }
  }

  async #line(longest: number): Promise<Buffer | null> {
    // What was looked through once is not looked through again.
    for (let seen = 0; ;) {
      const at = this.#held.findIndex((piece, index) => index >= seen && piece.includes(newline))
      if (at >= 0) {
        const before = this.#held.slice(0, at).reduce((sum, piece) => sum + piece.length, 0)
        const line = this.#cut(before + this.#held[at]!.indexOf(newline) + 1)
        return line.subarray(0, -1)
      }
      if (this.#heldBytes > longest) throw this.#wrong(`a line of it is over ${longest} bytes`)
      seen = this.#held.length
      if (!(await this.#read())) return null
    }
  }

  async #take(length: number): Promise<Buffer | null> {
    while (this.#heldBytes < length) if (!(await this.#read())) return null
    return this.#cut(length)
  }

  async #read(): Promise<boolean> {
    const { value, done } = await this.#input.next()
    if (done) return false
    this.#held.push(value)
    this.#heldBytes += value.length
    return true
  }

  /** Takes the first bytes of those that are held. */
  #cut(length: number): Buffer {
    const all = Buffer.concat(this.#held)
    this.#held = length < all.length ? [all.subarray(length)] : []
    this.#heldBytes = all.length - length
    return all.subarray(0, length)
  }

  readonly #wrong = (what: string) =>
    new SecateurError('unsupported', `${this.#where} does not answer as Secateur does: ${what}`)
}

/** Messages of a relay, written one after the other. */
export class FrameWriter {
  readonly #write: (bytes: string | Buffer) => Promise<void>

  /** @param write resolves once more can be taken */
  constructor(write: (bytes: string | Buffer) => Promise<void>) {
    this.#write = write
  }

  greet(version: string): Promise<void> {
    // A shell may have left a line without its end.
    return this.#write(`\n${greeting}${JSON.stringify({ version })}\n`)
  }

  /** A message and the bytes that belong to it go at once: others may be sent meanwhile. */
  send(message: RelayMessage, bytes: Buffer = Buffer.alloc(0)): Promise<void> {
    return this.#write(Buffer.concat([Buffer.from(`${JSON.stringify(message)}\n`), bytes]))
  }
}
