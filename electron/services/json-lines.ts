import { type FileHandle, open } from 'node:fs/promises'

const slice = 64 * 1024
/** No line that the engine writes is longer. */
const longestLine = 16 << 20

/** The whole lines of a file that grows; a last line without its end is left for the next call. */
export class JsonLines {
  readonly #path: string
  #file: FileHandle | null = null
  #offset = 0
  #rest = Buffer.alloc(0)

  constructor(path: string) {
    this.#path = path
  }

  /** The next lines as values; null for one that is no JSON. Empty where there is nothing new. */
  async next(): Promise<unknown[]> {
    this.#file ??= await open(this.#path, 'r').catch(() => null)
    if (!this.#file) return []
    for (;;) {
      const buffer = Buffer.alloc(slice)
      const { bytesRead } = await this.#file.read(buffer, 0, slice, this.#offset)
      if (bytesRead === 0) return []
      this.#offset += bytesRead
      const text = Buffer.concat([this.#rest, buffer.subarray(0, bytesRead)])
      const end = text.lastIndexOf(10) + 1
      this.#rest = text.length - end > longestLine ? Buffer.alloc(0) : text.subarray(end)
      if (end > 0)
        return text
          .subarray(0, end - 1)
          .toString('utf8')
          .split('\n')
          .map(parse)
    }
  }

  async close(): Promise<void> {
    await this.#file?.close()
    this.#file = null
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return null
  }
}
