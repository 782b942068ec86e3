import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { selfDataFiles, selfDataFileSchema } from '../contract/index.ts'
import { runFiles } from '../runs/run-files.ts'
import { cacheFolder } from '../shared/cache-folder.ts'
import { parseJsonOrNull } from '../shared/files.ts'
import { sum } from '../shared/sum.ts'
import type { Work } from './work.ts'

/** Bytes that work will have written once it is over, by where they lie. */
export interface WrittenBytes {
  /** The saved state, of which there are two while a new one is written. */
  state: number
  /** The checkpoint or the adapter. */
  output: number
  /** Rows that the dense model wrote: in the run folder, and once more in the cache. */
  selfData: number
  /** A teacher's likeliest tokens, in the cache. */
  topCache: number
}

/**
 * Bytes that are still to be written: what a run that goes on has written already has taken its room on the disk, and is not
 * counted twice.
 */
export function stillToWrite(job: Work, planned: WrittenBytes): number {
  const written = writtenBytes(job)
  const names = Object.keys(planned) as (keyof WrittenBytes)[]
  return sum(names.map((name) => Math.max(0, planned[name] - written[name])))
}

/** What lies in a run folder already, and in the cache because of it. */
function writtenBytes(job: Work): WrittenBytes {
  if ((job.kind !== 'finetune' && job.kind !== 'prune') || job.out === undefined || !existsSync(job.out))
    return { state: 0, output: 0, selfData: 0, topCache: 0 }
  const { out } = job
  const state = bytesIn(dirname(join(out, runFiles.state)))
  // What a process that was killed had begun to write is removed before the output is written anew.
  const outputs = readdirSync(out).filter((name) => name === 'output' || name.startsWith('.output.partial-'))
  const rows = bytesIn(join(out, selfDataFiles.rows))
  const areRowsKept = keptRows(join(out, selfDataFiles.facts))
  return {
    state,
    output: sum(outputs.map((name) => bytesIn(join(out, name)))),
    selfData: areRowsKept ? 2 * rows : rows,
    // Which teacher it is shows only once its weights are read: of a run that has begun, all that is kept is taken for its own.
    topCache: state > 0 ? bytesIn(join(cacheFolder(), 'teachers')) : 0,
  }
}

/** Whether all rows of a run folder are there, and therefore in the cache too. */
function keptRows(facts: string): boolean {
  if (!existsSync(facts)) return false
  const { data } = selfDataFileSchema.safeParse(parseJsonOrNull(readFileSync(facts, 'utf8')))
  return data !== undefined && data.sha256 !== null
}

/** Bytes of a file, or of all files in a folder and below it; 0 where there is none. */
function bytesIn(path: string): number {
  const found = statSync(path, { throwIfNoEntry: false })
  if (!found?.isDirectory()) return found?.size ?? 0
  const entries = readdirSync(path, { withFileTypes: true, recursive: true })
  const files = entries.filter((entry) => entry.isFile())
  return sum(files.map((entry) => statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0))
}
