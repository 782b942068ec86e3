import { setImmediate } from 'node:timers/promises'
import type { TokenLengths, ParsedServiceParams } from '../contract/index.ts'
import type { Row } from '../data/rows.ts'
import { badFile, SecateurError } from '../shared/errors.ts'
import type { WorkControl } from '../shared/work-control.ts'
import { openRows } from './row-encoder.ts'

const mostBins = 50
/** Milliseconds of work between two looks at what else there is to do. */
const slice = 50

/** Histogram of the lengths of a data file's examples in tokens, over its first `sample` rows. */
export async function tokenLengths(
  params: ParsedServiceParams<'tokenLengths'>,
  context: WorkControl,
): Promise<TokenLengths> {
  const { path, badRows, sample } = params
  let rows = 0
  const skip = (_: SecateurError, count: number) => void (rows += count)
  const { rows: source, encode } = await openRows(params, context, badRows === 'skip' ? skip : undefined)
  const encodeOrSkip = (row: Row, index: number) => {
    try {
      return encode(row, index)
    } catch (error) {
      if (badRows !== 'skip' || !(error instanceof SecateurError)) throw error
      return null
    }
  }
  const lengths: number[] = []
  let complete = true
  let sliceEnd = performance.now() + slice
  for await (const row of source) {
    if (rows >= sample) {
      complete = false
      break
    }
    const encoded = encodeOrSkip(row, rows++)
    if (encoded) lengths.push(encoded.ids.length)
    if (performance.now() < sliceEnd) continue
    context.progress(rows, sample)
    await setImmediate()
    context.signal.throwIfAborted()
    sliceEnd = performance.now() + slice
  }
  if (lengths.length === 0) throw badFile(path, undefined, `holds ${rows} rows, none with text in it`)
  return { ...histogram(lengths), rows, complete }
}

/** Bins whose width is 1, 2 or 5 times a power of ten, 50 at most. */
export function histogram(lengths: readonly number[]): Omit<TokenLengths, 'rows' | 'complete'> {
  const longest = lengths.reduce((most, length) => Math.max(most, length), 0)
  const tokens = lengths.reduce((sum, length) => sum + length, 0)
  const binWidth = widthFor(longest)
  const counts = Array.from({ length: Math.floor(longest / binWidth) + 1 }, () => 0)
  for (const length of lengths) counts[Math.floor(length / binWidth)]!++
  return { counts, binWidth, examples: lengths.length, tokens, longest, mean: tokens / lengths.length }
}

function widthFor(longest: number): number {
  for (let power = 1; ; power *= 10)
    for (const factor of [1, 2, 5]) if (longest / (factor * power) < mostBins) return factor * power
}
