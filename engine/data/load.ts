import { setImmediate } from 'node:timers/promises'
import type { RowCounts } from '../contract/index.ts'
import { SecateurError, badFile, badSetting } from '../shared/errors.ts'
import { longText } from '../shared/interruptible.ts'
import { addRow } from './load-row.ts'
import { type DataKind, type Loading, type LoadOptions, mostBadRows, type TrainingData } from './load-types.ts'
import { describeLoss, lostShare, noRows } from './lost-rows.ts'
import { type PlacedRow, type RowOptions, readPlacedRows } from './rows.ts'

export type { DataKind, LoadOptions, LoadProgress, TrainingData } from './load-types.ts'

/** Work is put down every so many milliseconds, to tell of progress and to hear of an abort. */
const sliceMilliseconds = 100

/**
 * Reads and encodes training data. Each row's kind is found by its fields (see `conversationOf` and `textOf`);
 * instruction data goes before text where a row has both. An abort throws the signal's reason.
 *
 * @throws SecateurError for broken files (see `readRows`); for a row whose fields are of no known kind or that cannot be
 *   read, unless such rows are skipped; for a file, or all files, with nothing in it to train on; where more rows are lost
 *   than may be
 */
export async function loadTrainingData(files: readonly string[], options: LoadOptions): Promise<TrainingData> {
  const { limit = Infinity, maxLength, maxLostRows = 1, signal, onProgress } = options
  if (!(limit > 0)) throw badSetting('limit', `must be above 0, not ${limit}`)
  if (maxLength !== undefined && !(maxLength >= 2)) throw badSetting('maxLength', `must be 2 or more, not ${maxLength}`)
  if (files.length === 0) throw badSetting('data', 'give at least one file to train on')
  const data: Loading = { ...noRows(), examples: [], documentRows: [], documentStarts: [], tokens: 0, bad: [] }
  const kinds = new Set<DataKind>()
  const lossOf = (counts: RowCounts) => describeLoss(counts, maxLength, data.bad[0]?.message)

  let sliceEnd = performance.now() + sliceMilliseconds
  for (const file of files) {
    const before = { ...data }
    let fraction = 0
    const onRead = (share: number) => (fraction = share)
    const tell = () => onProgress?.({ file, fraction, documents: data.documents, tokens: data.tokens })
    for await (const placed of readPlacedRows(file, { ...rowOptions(options, data), onRead })) {
      if (data.documents >= limit) break
      // A stop is heard before a long row is encoded: that takes minutes, and begins by taking the handlers of Ctrl-C away.
      if (performance.now() >= sliceEnd || isLong(placed.row)) {
        tell()
        await setImmediate()
        signal?.throwIfAborted()
        sliceEnd = performance.now() + sliceMilliseconds
      }
      data.rows++
      const kind = addOrSkip(data, placed, file, options)
      if (kind) kinds.add(kind)
    }
    if (data.documents === before.documents && data.documents < limit) throw nothingIn(file, data, before, lossOf)
    fraction = 1
    tell()
  }
  // Each example has two tokens or more.
  if (data.tokens === 0) throw badSetting('data', 'holds no text of two tokens or more to train on')
  const loss = lossOf(data)
  refuseLoss(data, loss, maxLostRows)
  return { ...data, loss, kind: kinds.size > 1 ? 'mixed' : (kinds.values().next().value ?? 'text') }
}

/** Whether the texts of a row, however deep they lie, take long to encode. */
function isLong(row: object): boolean {
  const left: unknown[] = [row]
  let characters = 0
  while (left.length > 0 && characters < longText) {
    const value = left.pop()
    if (typeof value === 'string') characters += value.length
    else if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value))
      for (const inner of Object.values(value)) left.push(inner)
  }
  return characters >= longText
}

/** @throws SecateurError where more of the rows would be lost than may be */
export function refuseLoss(counts: RowCounts, loss: string | null, maxLostRows: number): void {
  const share = lostShare(counts)
  if (share <= maxLostRows) return
  throw badSetting(
    'maxLostRows',
    `${Math.round(100 * share)}% of the rows would be lost, and ${100 * maxLostRows}% may be: ${loss}`,
  )
}

const rowOptions = ({ textUnit, badRows, signal }: LoadOptions, data: Loading): RowOptions => ({
  ...(textUnit === undefined ? {} : { textUnit }),
  ...(signal === undefined ? {} : { signal }),
  ...(badRows === 'skip'
    ? {
        onBadRow: (error, rows) => {
          data.rows += rows
          skip(data, error, rows)
        },
      }
    : {}),
})

function skip(data: Loading, error: SecateurError, rows = 1) {
  data.skipped += rows
  if (data.bad.length < mostBadRows) data.bad.push(error)
}

function nothingIn(file: string, data: RowCounts, before: RowCounts, lossOf: (counts: RowCounts) => string | null) {
  const names = Object.keys(noRows()) as (keyof RowCounts)[]
  const here = { ...noRows(), ...Object.fromEntries(names.map((name) => [name, data[name] - before[name]])) }
  const reason = lossOf({ ...here, needed: data.needed, longest: data.longest })
  return badFile(
    file,
    undefined,
    here.rows === 0 ? 'holds no rows' : `holds ${here.rows} rows, none to train on: ${reason}`,
  )
}

function addOrSkip(data: Loading, placed: PlacedRow, file: string, options: LoadOptions): DataKind | null {
  try {
    return addRow(data, placed, file, options)
  } catch (error) {
    if (options.badRows !== 'skip' || !isBadRow(error)) throw error
    skip(data, error)
    return null
  }
}

/** What is wrong with a row, and not a stop in the middle of it. */
const isBadRow = (error: unknown): error is SecateurError =>
  error instanceof SecateurError && error.kind !== 'interrupted'
