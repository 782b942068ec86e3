import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { badFile } from '../../shared/errors.ts'
import { openToWrite } from '../../shared/open-file.ts'
import { type FileMessage, type HeldFile, mostFileBytes, mostFiles } from './messages.ts'
import { endHash, type FollowedFile, followedFileAt } from './followed-files.ts'

/** Where weights lie until all of a run have come: what lies in `output` is whole. */
const unfinished = 'output.partial'

/**
 * What a workstation has of a folder of tasks on a cluster: everything but weights, unless these are wanted. Files of other
 * names than tasks have, of tasks that it does not know, or that are too large are refused: the other side may be anybody.
 */
export class Mirror {
  readonly #folder: string
  readonly #tasks: ReadonlySet<string>
  readonly #fetchesOutputs: boolean
  /** Files by their folder that have come so far. */
  readonly #came = new Map<string, Set<string>>()

  /** @param tasks folders of the tasks in that of the whole, with slashes */
  constructor(folder: string, tasks: readonly string[], fetchesOutputs: boolean) {
    this.#folder = folder
    this.#tasks = new Set(tasks)
    this.#fetchesOutputs = fetchesOutputs
  }

  /** What is here already, by its path in the folder of the whole. */
  held(): Record<string, HeldFile> {
    const held: Record<string, HeldFile> = {}
    for (const folder of [...this.#tasks, 'cluster/logs', 'cluster/failures'])
      for (const name of filesIn(join(this.#folder, folder))) {
        const path = `${folder}/${name.replace(`${unfinished}/`, 'output/')}`
        const known = this.#fileAt(path)
        if (!known) continue
        const file = join(this.#folder, folder, name)
        const { size, mtimeMs } = statSync(file)
        held[path] = { size, modified: Math.round(mtimeMs), end: known.kind === 'grows' ? endHash(file, size) : null }
      }
    return held
  }

  /**
   * Takes a piece of a file in: at the end of one that grows; beside others, until they are whole.
   *
   * @throws SecateurError where it is none that tasks have
   */
  take({ path, grows, offset, length, size, modified }: FileMessage, bytes: Buffer): void {
    const known = this.#fileAt(path)
    const isRight = known !== null && grows === (known.kind === 'grows') && offset + length <= size
    if (!isRight || (known.kind !== 'weights' && size > mostFileBytes) || !this.#isOfFew(path))
      throw this.#refused(path)
    const file = this.#placeOf(known)
    const target = grows ? file : `${file}.partial`
    if (sizeOf(target) < offset) throw this.#refused(path)
    mkdirSync(dirname(file), { recursive: true })
    append(target, offset, bytes)
    if (grows || offset + length < size) return
    syncAndDate(target, modified)
    renameSync(target, file)
  }

  /** Forgets a file that is not there any more. @throws SecateurError where it is none that tasks have */
  drop(path: string): void {
    const known = this.#fileAt(path)
    if (!known) throw this.#refused(path)
    rmSync(this.#placeOf(known), { force: true })
  }

  /** All weights of a run that is over have come. @param task its folder in that of the whole */
  finish(task: string): void {
    const [from, to] = [join(this.#folder, task, unfinished), join(this.#folder, task, 'output')]
    if (!existsSync(from)) return
    rmSync(to, { recursive: true, force: true })
    renameSync(from, to)
  }

  #fileAt(path: string): FollowedFile | null {
    const file = followedFileAt(path, this.#tasks)
    return file?.kind === 'weights' && !this.#fetchesOutputs ? null : file
  }

  #placeOf({ kind, task, name }: FollowedFile): string {
    const folder = join(this.#folder, task ?? '')
    if (kind !== 'weights' || existsSync(join(folder, 'output'))) return join(folder, name)
    return join(folder, name.replace('output', unfinished))
  }

  /** Whether a folder has no more files than those of a run have. */
  #isOfFew(path: string): boolean {
    const folder = dirname(path)
    const names = this.#came.get(folder) ?? new Set()
    this.#came.set(folder, names.add(path))
    return names.size <= mostFiles + this.#tasks.size
  }

  readonly #refused = (path: string) =>
    badFile(this.#folder, undefined, `the cluster sent what no task has: ${JSON.stringify(path.slice(0, 200))}`)
}

/** Files in a folder and two levels below it, with slashes. */
function filesIn(folder: string, depth = 2): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.isFile()) return [entry.name]
    if (!entry.isDirectory() || depth === 0) return []
    return filesIn(join(folder, entry.name), depth - 1).map((name) => `${entry.name}/${name}`)
  })
}

const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0

/** Keeps what is there up to an offset, and writes what comes after it. */
function append(file: string, offset: number, bytes: Buffer): void {
  const descriptor = openToWrite(file, 'a')
  try {
    ftruncateSync(descriptor, offset)
    for (let at = 0; at < bytes.length;) at += writeSync(descriptor, bytes, at)
  } finally {
    closeSync(descriptor)
  }
}

function syncAndDate(file: string, modified: number): void {
  const descriptor = openToWrite(file, 'a')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
  utimesSync(file, modified / 1000, modified / 1000)
}
