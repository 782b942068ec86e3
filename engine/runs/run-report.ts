import { createReadStream, existsSync } from 'node:fs'
import { opendir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { z } from 'zod'
import { SafetensorsFile } from '../checkpoint/safetensors.ts'
import {
  pruningSnapshotSchema,
  resultFileSchema,
  type RunReport,
  sampleSchema,
  scoresFileSchema,
  stepMetricsSchema,
  type ParsedServiceParams,
} from '../contract/index.ts'
import { badFile } from '../shared/errors.ts'
import { parseJsonOrNull, readJson } from '../shared/files.ts'
import type { WorkControl } from '../shared/work-control.ts'
import { readRunFile, runFiles, stepOf } from './run-folder.ts'
import { isLocked } from './run-lock.ts'

/** Longest line of a journal: a snapshot of a wide and deep model has some hundred kilobytes. */
const longestLine = 16 * 2 ** 20
/** Files of a run folder that are counted at most; a run has some ten, a checkpoint of many shards some hundred. */
const mostFiles = 100_000

/** What a run folder holds, whoever wrote it. Only small files are read whole. */
export async function readRunFolder(
  { path: given }: ParsedServiceParams<'readRunFolder'>,
  { signal }: WorkControl,
): Promise<RunReport> {
  const path = resolve(given)
  const { version: _, ...run } = readRunFile(path)
  const ended = optional(join(path, runFiles.result), resultFileSchema)
  const scores = optional(join(path, runFiles.scores), scoresFileSchema)
  const metrics = await readJournal(join(path, runFiles.metrics), stepMetricsSchema, signal)
  const snapshots = await readJournal(join(path, runFiles.snapshots), pruningSnapshotSchema, signal)
  const samples = await readJournal(join(path, runFiles.samples), sampleSchema, signal)
  const lastSavedStep = savedStep(path)
  const result = ended?.outcome.type === 'result' ? ended.outcome : null
  const { type: _type, ...error } = ended?.outcome.type === 'error' ? ended.outcome : { type: null }
  // Runs of versions that wrote no result.json end with their output, where nothing was to be scored after it.
  const wasDone =
    ended === null && existsSync(join(path, 'output')) && !('evaluation' in run.job && run.job.evaluation !== undefined)
  const started = metrics.lines > 0 || lastSavedStep !== null || scores !== null
  return {
    path,
    ...run,
    state: isLocked(path) ? 'running' : result || wasDone ? 'done' : started ? 'interrupted' : 'never-started',
    finished: ended?.finished ?? null,
    result,
    error: 'kind' in error ? error : null,
    scores,
    lastStep: metrics.lastStep,
    lastSavedStep: lastSavedStep ?? 0,
    counts: { metrics: metrics.lines, snapshots: snapshots.lines, samples: samples.lines },
    bytes: await bytesOf(path, signal),
  }
}

const optional = <Schema extends z.ZodType>(file: string, schema: Schema): z.output<Schema> | null =>
  existsSync(file) ? readJson(file, schema) : null

/** Lines that end, and the step of the last of them that can be read. */
async function readJournal(
  file: string,
  schema: z.ZodType<{ step: number }>,
  signal: AbortSignal,
): Promise<{ lines: number; lastStep: number }> {
  let lines = 0
  let held: Buffer[] = []
  let heldBytes = 0
  let last: Buffer | null = null
  if (!existsSync(file)) return { lines, lastStep: 0 }
  for await (const chunk of createReadStream(file, { highWaterMark: 2 ** 20, signal }) as AsyncIterable<Buffer>) {
    let start = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      lines++
      last = held.length > 0 ? Buffer.concat([...held, chunk.subarray(start, end)]) : chunk.subarray(start, end)
      held = []
      heldBytes = 0
      start = end + 1
    }
    held.push(chunk.subarray(start))
    heldBytes += chunk.length - start
    if (heldBytes > longestLine) throw badFile(file, `line ${lines + 1}`, `is over ${longestLine} bytes`)
  }
  if (last === null) return { lines, lastStep: 0 }
  const parsed = schema.safeParse(parseJsonOrNull(last.toString('utf8')))
  if (!parsed.success) throw badFile(file, `line ${lines}`, 'is not what a run writes there')
  return { lines, lastStep: parsed.data.step }
}

/** Step of the saved state; null where there is none. */
function savedStep(path: string): number | null {
  const file = join(path, runFiles.state)
  if (!existsSync(file)) return null
  using state = new SafetensorsFile(file)
  return stepOf(state)
}

/** Bytes of everything in a folder; links are not followed. */
async function bytesOf(path: string, signal: AbortSignal): Promise<number> {
  let bytes = 0
  let files = 0
  for await (const entry of await opendir(path, { recursive: true })) {
    if (++files > mostFiles) throw badFile(path, undefined, `holds over ${mostFiles} files: this is not a run folder`)
    if (files % 100 === 0) signal.throwIfAborted()
    // What a live run renames meanwhile is not missed.
    if (entry.isFile())
      bytes += await stat(join(entry.parentPath, entry.name)).then(
        (found) => found.size,
        () => 0,
      )
  }
  return bytes
}
