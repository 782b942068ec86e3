import { setImmediate } from 'node:timers/promises'
import { SecateurError, badFile, badSetting } from '../shared/errors.ts'
import { addRow } from './load-row.ts'
import type { DataKind, Loading, LoadOptions, TrainingData } from './load-types.ts'
import { describeLoss, lostShare, noRows, type RowCounts } from './lost-rows.ts'
import { type Row, type RowOptions, readRows } from './rows.ts'

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
  const data: Loading = { ...noRows(), examples: [], tokens: 0, firstSkipped: '' }
  const kinds = new Set<DataKind>()
  const lossOf = (counts: RowCounts) => describeLoss(counts, maxLength, data.firstSkipped)

  let sliceEnd = performance.now() + sliceMilliseconds
  for (const file of files) {
    const before = { ...data }
    let rowNumber = 0
    for await (const row of readRows(file, rowOptions(options, data))) {
      if (data.documents >= limit) break
      rowNumber++
      data.rows++
      const kind = addOrSkip(data, row, file, rowNumber, options)
      if (kind) kinds.add(kind)
      if (performance.now() < sliceEnd) continue
      onProgress?.({ file, documents: data.documents, tokens: data.tokens })
      await setImmediate()
      signal?.throwIfAborted()
      sliceEnd = performance.now() + sliceMilliseconds
    }
    if (data.documents === before.documents && data.documents < limit) throw nothingIn(file, data, before, lossOf)
    onProgress?.({ file, documents: data.documents, tokens: data.tokens })
  }
  if (data.examples.length === 0) throw badSetting('data', 'holds no text of two tokens or more to train on')
  const { firstSkipped: _, ...found } = data
  const loss = lossOf(data)
  if (lostShare(data) > maxLostRows)
    throw badSetting(
      'maxLostRows',
      `${Math.round(100 * lostShare(data))} % of the rows would be lost, and ${100 * maxLostRows} % may be: ${loss}`,
    )
  return { ...found, loss, kind: kinds.size > 1 ? 'mixed' : (kinds.values().next().value ?? 'text') }
}

const rowOptions = ({ textUnit, badRows, signal }: LoadOptions, data: Loading): RowOptions => ({
  ...(textUnit === undefined ? {} : { textUnit }),
  ...(signal === undefined ? {} : { signal }),
  ...(badRows === 'skip'
    ? {
        onBadRow: (error) => {
          data.rows++
          skip(data, error)
        },
      }
    : {}),
})

function skip(data: Loading, error: Error) {
  data.skipped++
  data.firstSkipped ||= error.message
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

function addOrSkip(data: Loading, row: Row, file: string, number: number, options: LoadOptions): DataKind | null {
  try {
    return addRow(data, row, file, number, options)
  } catch (error) {
    if (options.badRows !== 'skip' || !(error instanceof SecateurError)) throw error
    skip(data, error)
    return null
  }
}
