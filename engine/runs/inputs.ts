import { createHash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { bytesRead, fingerprintOf, keptFingerprint, wholeBytes } from '../checkpoint/fingerprint.ts'
import { isOfTasks, type Job, type JobContext, pathsOfJob, type RunInputs } from '../contract/index.ts'
import { SecateurError } from '../shared/errors.ts'
import { shortHash } from '../shared/short-hash.ts'
import { sum } from '../shared/sum.ts'
import { type InputFile, inputFiles, namesCheckpoint } from './input-files.ts'
import { StageProgress } from './stage-progress.ts'

/** Files that are told apart one by one; more have one fingerprint together. */
const mostNamed = 100
/** Files of a folder whose contents are read, where these are more than can be read whole. */
const mostRead = 2000
/** Files that are read before other work has its turn: small ones are read without waiting. */
const atOnce = 100
/** Milliseconds after which it is told how far the reading is. */
const patience = 2000

type Fingerprints = Record<string, string>

/** What is read of a setting's files. */
interface Listed {
  files: readonly InputFile[]
  /** Those whose contents are read. */
  read: readonly InputFile[]
  isNamed: boolean
}

/**
 * Takes fingerprints of everything that jobs read: checkpoints, data, task files, texts and images. What several jobs read,
 * as the runs of a sweep do, is read once. Nothing in them depends on where files lie or on this computer.
 */
export class InputReader {
  readonly #signal: AbortSignal
  readonly #progress: StageProgress
  readonly #started = performance.now()
  readonly #listed = new Map<string, Listed | null>()
  readonly #taken = new Map<Listed, Fingerprints | null>()
  #done = 0
  #total = 0

  constructor({ emit, signal }: Pick<JobContext, 'emit' | 'signal'>) {
    this.#signal = signal
    this.#progress = new StageProgress('checking data', emit)
  }

  /** By the settings of the job. What cannot be read is left out: the job itself says so when it comes to it. */
  async read(job: Job): Promise<RunInputs> {
    const found: [string, Listed][] = []
    for (const { setting, path } of readBy(job)) {
      const listed = await this.#list(setting, path)
      if (listed) found.push([setting, listed])
    }
    const inputs: RunInputs = {}
    for (const [setting, listed] of found) {
      const taken = this.#taken.get(listed) ?? (await this.#orNull(() => this.#take(listed)))
      this.#taken.set(listed, taken)
      if (taken) inputs[setting] = taken
    }
    return inputs
  }

  async #list(setting: string, path: string): Promise<Listed | null> {
    const key = JSON.stringify([settingOf(setting), path])
    const known = this.#listed.get(key)
    if (known !== undefined) return known
    const listed = await this.#orNull(async () => {
      const files = await inputFiles(setting, path, this.#signal)
      const isNamed = files.length <= mostNamed || namesCheckpoint(setting)
      return { files, read: isNamed ? files : spreadOver(files), isNamed }
    })
    this.#listed.set(key, listed)
    this.#total += sum((listed?.read ?? []).map(({ bytes }) => bytesRead(bytes)))
    return listed
  }

  async #orNull<Found>(find: () => Promise<Found>): Promise<Found | null> {
    try {
      return await find()
    } catch (error) {
      this.#signal.throwIfAborted()
      if (error instanceof SecateurError || (error instanceof Error && 'syscall' in error)) return null
      throw error
    }
  }

  async #take({ files, read, isNamed }: Listed): Promise<Fingerprints> {
    if (isNamed) return await this.#ofEach(read)
    const stamp = files.map((file) => file.stamp)
    const together = await keptFingerprint(stamp, async () => {
      const sizes = files.map((file) => [file.name, file.bytes])
      const hash = createHash('sha256').update(JSON.stringify([sizes, await this.#ofEach(read)]))
      return shortHash(hash.digest('hex'))
    })
    return { '': together }
  }

  async #ofEach(files: readonly InputFile[]): Promise<Fingerprints> {
    const found: Fingerprints = {}
    for (const [index, { name, path, bytes }] of files.entries()) {
      if (index % atOnce === atOnce - 1) await setImmediate()
      found[name] = await fingerprintOf(path, this.#signal, (read) => this.#tell(read))
      this.#done += bytesRead(bytes)
      this.#tell(0)
    }
    return found
  }

  /** @param read of the file that is being read */
  #tell(read: number): void {
    if (performance.now() - this.#started > patience) this.#progress.report(this.#done + read, this.#total)
  }
}

/** Files of which so many are read that it takes no longer than a large file: all of them, or every so many. */
function spreadOver(files: readonly InputFile[]): InputFile[] {
  const bytes = sum(files.map((file) => bytesRead(file.bytes)))
  if (bytes <= wholeBytes && files.length <= 5 * mostRead) return [...files]
  const every = Math.ceil(Math.max(files.length / mostRead, bytes / wholeBytes))
  return files.filter((_, index) => index % every === 0)
}

/** A setting without the number of the file among those that it names; names of an evaluation may end with numbers. */
export const settingOf = (numbered: string): string =>
  numbered.startsWith('evaluation.') ? numbered : numbered.replace(/\.\d+$/, '')

/**
 * Files and folders that a job itself reads, by its settings: `data`, `data.1` and so on where a setting names several. A job
 * that is made of tasks reads nothing itself, and its tasks read on a computer that may be another one.
 */
export function readBy(job: Job): { setting: string; path: string }[] {
  if (isOfTasks(job)) return []
  const counts = new Map<string, number>()
  return pathsOfJob(job).flatMap(({ field, path, use }) => {
    if (use === 'written') return []
    const count = counts.get(field) ?? 0
    counts.set(field, count + 1)
    return [{ setting: count === 0 ? field : `${field}.${count}`, path }]
  })
}
