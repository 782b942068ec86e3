import type { WrittenPiece } from '../contract/index.ts'

/** What is told of a token beside its text. */
export type TokenFacts = Omit<WrittenPiece, 'text'>

/** The replacement character: bytes of a character that has not all come yet are decoded as it. */
const replacement = '\uFFFD'

/**
 * Makes pieces of text from tokens, in time that does not grow with the text. A character whose bytes have not all come yet is
 * held back, and so is what may be the beginning of a text that ends the answer.
 */
export class TextStream {
  readonly #decode: (ids: readonly number[]) => string
  readonly #stops: readonly string[]
  readonly #onPiece: (piece: WrittenPiece) => void
  readonly #ids: number[]
  /** Where the ids begin that are decoded together, and where those begin whose text has not come yet. */
  #from: number
  #next: number
  #held: WrittenPiece[] = []
  #stopped = false

  /** @param before ids of the prompt: what a token looks like may depend on the one before it */
  constructor(
    before: readonly number[],
    settings: { decode: (ids: readonly number[]) => string; stops: readonly string[] },
    onPiece: (piece: WrittenPiece) => void,
  ) {
    this.#ids = before.slice(-context)
    this.#from = 0
    this.#next = this.#ids.length
    this.#decode = settings.decode
    this.#stops = settings.stops
    this.#onPiece = onPiece
  }

  /** Whether a text has come that ends the answer. */
  get stopped(): boolean {
    return this.#stopped
  }

  /** The text that another token would add here. */
  preview(id: number): string {
    const shown = this.#decode(this.#ids.slice(this.#from, this.#next))
    return this.#decode([...this.#ids.slice(this.#from), id]).slice(shown.length)
  }

  token(id: number, facts: TokenFacts): void {
    this.#ids.push(id)
    const shown = this.#decode(this.#ids.slice(this.#from, this.#next))
    const all = this.#decode(this.#ids.slice(this.#from))
    const isWhole = !all.endsWith(replacement)
    this.#held.push({ ...facts, text: isWhole ? all.slice(shown.length) : '' })
    if (!isWhole) return
    this.#from = Math.max(this.#from, this.#next - context)
    this.#next = this.#ids.length
    this.#tell()
  }

  /** Tells what was held back for nothing: the answer ended otherwise. */
  end(): void {
    if (this.#stopped) return
    const shown = this.#decode(this.#ids.slice(this.#from, this.#next))
    const rest = this.#decode(this.#ids.slice(this.#from)).slice(shown.length)
    const last = this.#held.at(-1)
    if (last && this.#next < this.#ids.length) last.text = rest
    for (const piece of this.#held) this.#onPiece(piece)
    this.#held = []
  }

  #tell(): void {
    const text = this.#held.map((piece) => piece.text).join('')
    const ends = this.#stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0)
    this.#stopped = ends.length > 0
    let safe = this.#stopped ? Math.min(...ends) : text.length - beginningOf(this.#stops, text)
    while (this.#held.length > 0 && (safe > 0 || this.#held[0]!.text === '')) {
      const [piece] = this.#held as [WrittenPiece]
      if (piece.text.length > safe && !this.#stopped) break
      this.#held.shift()
      this.#onPiece({ ...piece, text: piece.text.slice(0, safe) })
      safe -= Math.min(safe, piece.text.length)
    }
    if (this.#stopped) this.#held = []
  }
}

/** Ids before a token that it is decoded with: enough for a word that several tokens write. */
const context = 8

/** How many characters at the end of a text may be the beginning of one of `stops`. */
function beginningOf(stops: readonly string[], text: string): number {
  const lengths = stops.map((stop) => {
    for (let length = Math.min(stop.length - 1, text.length); length > 0; length--)
      if (text.endsWith(stop.slice(0, length))) return length
    return 0
  })
  return Math.max(0, ...lengths)
}
