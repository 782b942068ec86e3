import { closeSync, readSync } from 'node:fs'
import { badFile } from './errors.ts'
import { openFile } from './open-file.ts'

export interface FileLine {
  /** Without its end; bytes that are no UTF-8 are replaced. */
  text: string
  /** Counting from 1. */
  number: number
  /** False for a last line without its end, which a crash may have cut short. */
  isWhole: boolean
}

const slice = 2 ** 20
const newline = 10

/**
 * The lines of a file, one in memory at a time.
 *
 * @param longest bytes that a line may have
 * @throws SecateurError where the file cannot be read, or a line is longer
 */
export function* readLines(path: string, longest: number): Generator<FileLine> {
  const descriptor = openFile(path)
  try {
    let held: Buffer[] = []
    let heldBytes = 0
    let number = 0
    const take = (piece: Buffer, isWhole: boolean): FileLine => {
      const text = Buffer.concat([...held, piece]).toString('utf8')
      held = []
      heldBytes = 0
      return { text, number: ++number, isWhole }
    }
    for (;;) {
      const chunk = Buffer.allocUnsafe(slice)
      const bytes = chunk.subarray(0, readSync(descriptor, chunk, 0, slice, null))
      if (bytes.length === 0) break
      let start = 0
      for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
        yield take(bytes.subarray(start, end), true)
        start = end + 1
      }
      held.push(bytes.subarray(start))
      heldBytes += bytes.length - start
      if (heldBytes > longest) throw badFile(path, `line ${number + 1}`, `is over ${longest} bytes`)
    }
    if (heldBytes > 0) yield take(Buffer.alloc(0), false)
  } finally {
    closeSync(descriptor)
  }
}
