import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, uptime } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { SecateurError } from '../shared/errors.ts'
import { parseJsonOrNull } from '../shared/files.ts'
import { isAlive, startTicksOf } from '../shared/process-identity.ts'
import { schedulerJob, schedulerSaysOver } from './scheduler-job.ts'

/** A run folder holds this file while a process writes the run. Archives and copies of a folder leave it out. */
export const lockName = 'lock.json'

const lockSchema = z.object({
  host: z.string(),
  pid: z.int().min(1),
  /** When the process took the lock, and what tells it from a later process of the same number, where that is known. */
  taken: z.string(),
  process: z.string().nullable(),
  /** The task of a cluster's scheduler that the process belongs to. */
  job: z.string().nullable().default(null),
})
type LockFile = z.infer<typeof lockSchema>

/**
 * Keeps two processes from writing one run. A lock whose process is gone counts for nothing, nor does one of another computer
 * whose scheduler says that the task is over which took it.
 */
export class RunLock {
  readonly #file: string
  readonly #text: string

  private constructor(file: string, text: string) {
    this.#file = file
    this.#text = text
  }

  /** @throws SecateurError where a live process, or one of another computer, holds the folder. */
  static take(folder: string): RunLock {
    const file = join(folder, lockName)
    const { pid } = process
    const taken = new Date().toISOString()
    const lock: LockFile = { host: hostname(), pid, taken, process: startTicksOf(pid), job: schedulerJob() }
    const text = `${JSON.stringify(lock)}\n`
    if (create(file, text)) return new RunLock(file, text)
    const found = textOf(file)
    const holder = found === null ? null : holderOf(found)
    if (holder && !isOverElsewhere(holder)) throw refused(folder, holder)
    // Of two processes that find the same stale lock, the one that moves it away goes on.
    const aside = `${file}.${pid}.stale`
    try {
      renameSync(file, aside)
    } catch {
      // The other one was faster, or the holder has just ended.
    }
    const moved = textOf(aside)
    rmSync(aside, { force: true })
    if (moved !== null && moved !== found) create(file, moved)
    if (create(file, text)) return new RunLock(file, text)
    throw refused(folder, holderOf(textOf(file) ?? ''))
  }

  /** Whether the lock is still there, and still this process's. */
  get isHeld(): boolean {
    return textOf(this.#file) === this.#text
  }

  /** Whether another process has taken the folder since: it had reason to think that this one is gone. */
  get isLost(): boolean {
    const text = textOf(this.#file)
    return text !== null && text !== this.#text && holderOf(text) !== null
  }

  /** Gives the folder free, unless another process has taken it since. */
  release(): void {
    if (this.isHeld) rmSync(this.#file, { force: true })
  }
}

/** Whether a process that lives holds a run folder. */
export function isLocked(folder: string): boolean {
  const text = textOf(join(folder, lockName))
  return text !== null && holderOf(text) !== null
}

/** A lock appears whole or not at all, and never in place of another. */
function create(file: string, text: string): boolean {
  const temporary = `${file}.${process.pid}.partial`
  writeFileSync(temporary, text)
  try {
    linkSync(temporary, file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    return createWithoutLinks(file, text)
  } finally {
    rmSync(temporary, { force: true })
  }
}

/** Some file systems of memory sticks and networks know no hard links. */
function createWithoutLinks(file: string, text: string): boolean {
  try {
    writeFileSync(file, text, { flag: 'wx' })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function textOf(file: string): string | null {
  try {
    return readFileSync(file, 'utf8').slice(0, 10_000)
  } catch {
    return null
  }
}

/** Who holds a lock, or null where it is stale or no lock at all. */
function holderOf(text: string): LockFile | null {
  const parsed = lockSchema.safeParse(parseJsonOrNull(text))
  if (!parsed.success) return null
  const lock = parsed.data
  if (lock.host !== hostname()) return lock
  if (!isAlive(lock.pid)) return null
  // A number is used again after a restart of the computer, or sooner.
  const now = startTicksOf(lock.pid)
  if (lock.process !== null && now !== null) return lock.process === now ? lock : null
  // Clocks are set and stop while a computer sleeps: they decide only where the system does not say which process it is.
  return Date.parse(lock.taken) < Date.now() - uptime() * 1000 - 60_000 ? null : lock
}

/** Whether a scheduler says so of a lock that another computer wrote. */
const isOverElsewhere = ({ host, job }: LockFile): boolean =>
  host !== hostname() && job !== null && schedulerSaysOver(job)

function refused(folder: string, holder: LockFile | null): SecateurError {
  const elsewhere = holder !== null && holder.host !== hostname()
  const who =
    holder === null
      ? 'another process'
      : `process ${holder.pid}${elsewhere ? ` on ${holder.host}` : ''}${holder.job ? ` (task ${holder.job} of Slurm)` : ''}`
  const help = elsewhere ? `; if none runs there any more, remove ${join(folder, lockName)}` : ''
  return new SecateurError('bad-setting', `${who} is writing the run in ${folder}: wait for it, or stop it${help}`, {
    field: 'out',
  })
}
