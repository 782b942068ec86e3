import { existsSync } from 'node:fs'
import { opendir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setImmediate } from 'node:timers/promises'
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
import { readLines } from '../shared/read-lines.ts'
import type { WorkControl } from '../shared/work-control.ts'
import { describeBadLines, longestLine } from './journal.ts'
import { readRunFile, runFiles } from './run-files.ts'
import { isLocked } from './run-lock.ts'
import { stepOf } from './state-file.ts'

/** Lines of a journal that are read before other requests have their turn. */
const linesAtOnce = 1000
/** Files of a run folder that are counted at most; a run has some ten, a checkpoint of many shards some hundred. */
const mostFiles = 100_000

/** What a run folder holds, whoever wrote it. Only small files are read whole. */
export async function readRunFolder(
  { path: given }: ParsedServiceParams<'readRunFolder'>,
  { signal }: WorkControl,
): Promise<RunReport> {
  const path = resolve(given)
  const { version: _, inputs: __, ...run } = readRunFile(path)
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
    warnings: [metrics, snapshots, samples].flatMap(({ warnings }) => warnings),
    bytes: await bytesOf(path, signal),
  }
}

const optional = <Schema extends z.ZodType>(file: string, schema: Schema): z.output<Schema> | null =>
  existsSync(file) ? readJson(file, schema) : null

/** Lines that end, the step of the last of them that can be read, and which can not. */
async function readJournal(
  file: string,
  schema: z.ZodType<{ step: number }>,
  signal: AbortSignal,
): Promise<{ lines: number; lastStep: number; warnings: string[] }> {
  let lines = 0
  let last: unknown = null
  const bad: number[] = []
  if (!existsSync(file)) return { lines, lastStep: 0, warnings: [] }
  for (const { number, text, isWhole } of readLines(file, longestLine)) {
    if (!isWhole) continue
    lines++
    const value = parseJsonOrNull(text)
    // Of a million lines, the schema is for the last: it would take ten seconds for all.
    if (hasStep(value)) last = value
    else bad.push(number)
    if (lines % linesAtOnce > 0) continue
    await setImmediate()
    signal.throwIfAborted()
  }
  if (lines === 0) return { lines, lastStep: 0, warnings: [] }
  const parsed = schema.safeParse(last)
  if (!parsed.success) throw badFile(file, `line ${bad[0] ?? lines}`, 'is not what a run writes there')
  return { lines, lastStep: parsed.data.step, warnings: bad.length > 0 ? [describeBadLines(file, bad)] : [] }
}

const hasStep = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'step' in value && Number.isInteger(value.step)

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
