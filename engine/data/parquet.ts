import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { badFile, SecateurError } from '../shared/errors.ts'
import { openFileHandle } from '../shared/open-file.ts'
import { openParquet, type ReadOptions } from './parquet-file.ts'

type Row = Record<string, unknown>

/** What the worker says to the number of a row group: its rows, or what is wrong with it. */
export type WorkerAnswer = { rows: Row[] } | { message: string }

/** What the worker is started with. */
export type WorkerData = ReadOptions & { file: string }

export interface ParquetOptions extends ReadOptions {
  signal?: AbortSignal | undefined
  /** Hears of a row group that cannot be decoded, and of its rows, which are left out; by default it ends the reading. */
  onBadRow?: ((error: SecateurError, rows: number) => void) | undefined
  /** Whether a row group is read, by the number of its first row, from 0, and its rows; asked when its turn comes. */
  wants?: ((first: number, rows: number) => boolean) | undefined
  /** Hears which fraction of the row groups is read. */
  onRead?: ((fraction: number) => void) | undefined
  /** Milliseconds after which the decoding of a row group is given up; default 10 s and 0.3 s for each MiB that it unpacks to. */
  patience?: number
}

/**
 * The rows of a Parquet file, one row group in memory at a time. Values become plain JSON: 64-bit integers are numbers
 * where a number holds them exactly and decimal text otherwise, dates are ISO 8601 text, bytes are base64 unless they are
 * wanted raw.
 *
 * Row groups are decoded by a worker thread with limits of memory and time: a damaged page can announce runs of values
 * that no check from outside can see, and make the decoder fill memory or go on for hours.
 */
export async function* readParquet(file: string, options: ParquetOptions = {}): AsyncGenerator<Row> {
  const { signal, patience, onBadRow, onRead, wants, columns, bytes } = options
  const groups = await groupsOf(file)
  if (groups.length === 0) return
  const largest = groups.reduce((most, { unpackedBytes }) => Math.max(most, unpackedBytes), 0) / 2 ** 20
  const startWorker = () =>
    new Worker(new URL('./parquet-worker.ts', import.meta.url), {
      workerData: { file, columns, bytes } satisfies WorkerData,
      resourceLimits: { maxOldGenerationSizeMb: Math.ceil(512 + 8 * largest) },
    })
  let worker = startWorker()
  try {
    let first = 0
    for (const [index, group] of groups.entries()) {
      signal?.throwIfAborted()
      const isWanted = wants?.(first, group.rows) ?? true
      first += group.rows
      if (!isWanted) continue
      const deadline = AbortSignal.timeout(patience ?? Math.ceil(10_000 + 300 * largest))
      let rows: Row[] = []
      try {
        rows = await rowsOf(worker, file, index, deadline, signal)
      } catch (error) {
        if (!onBadRow || !(error instanceof SecateurError)) throw error
        onBadRow(error, group.rows)
        // It may be decoding still, or have ended.
        await worker.terminate()
        worker = startWorker()
      }
      yield* rows
      onRead?.((index + 1) / groups.length)
    }
  } finally {
    await worker.terminate()
  }
}

async function groupsOf(file: string) {
  await using handle = await openFileHandle(file)
  return (await openParquet(handle, file)).groups
}

/** @throws SecateurError where the row group cannot be decoded, or takes too long to */
async function rowsOf(
  worker: Worker,
  file: string,
  group: number,
  deadline: AbortSignal,
  signal: AbortSignal | undefined,
): Promise<Row[]> {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  worker.postMessage(group)
  const answer = await answerOf(worker, file, group, deadline, signal)
  if ('message' in answer) throw badFile(file, `row group ${group}`, answer.message)
  return answer.rows
}

async function answerOf(
  worker: Worker,
  file: string,
  group: number,
  deadline: AbortSignal,
  signal: AbortSignal | undefined,
): Promise<WorkerAnswer> {
  try {
    const stop = signal ? AbortSignal.any([deadline, signal]) : deadline
    const [answer] = (await once(worker, 'message', { signal: stop })) as [WorkerAnswer]
    return answer
  } catch (error) {
    signal?.throwIfAborted()
    const reason = deadline.aborted
      ? 'takes too long to decode'
      : `cannot be decoded (${error instanceof Error ? error.message : String(error)})`
    throw badFile(file, `row group ${group}`, `${reason}; is the file damaged?`, error)
  }
}
