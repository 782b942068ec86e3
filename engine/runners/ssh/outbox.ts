import { closeSync, existsSync, fstatSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { runFiles } from '../../runs/run-files.ts'
import { openFile } from '../../shared/open-file.ts'
import { failurePathOf, logPathOf } from '../slurm/cluster-folder.ts'
import type { FrameWriter } from './frames.ts'
import { type HeldFile, mostBytes, mostFileBytes } from './messages.ts'
import { endHash, type FileKind, followedFileAt } from './followed-files.ts'

/** A task whose files are sent. */
export interface SentTask {
  /** Names it in the queue. */
  key: string
  /** Its folder in that of the whole, with slashes. */
  place: string
  /** In the queue, for its output; undefined for one that was never submitted. */
  id: string | undefined
  /** Whether it has ended or failed: its result is sent then, after everything else, and its weights where they are wanted. */
  isOver: boolean
}

/** Sends what a workstation does not have of the files of tasks: only what is new of those that grow. */
export class Outbox {
  readonly #folder: string
  readonly #held: Map<string, HeldFile>
  readonly #tasks: ReadonlySet<string>
  readonly #sendsOutputs: boolean
  readonly #frames: FrameWriter
  readonly #tooLarge = new Set<string>()

  /**
   * @param places folders of the tasks in that of the whole, with slashes
   * @param held what the workstation has, by the path in the folder of the whole
   */
  constructor(
    folder: string,
    {
      places,
      held,
      fetchOutputs,
    }: { places: readonly string[]; held: Record<string, HeldFile>; fetchOutputs: boolean },
    frames: FrameWriter,
  ) {
    this.#folder = folder
    this.#held = new Map(Object.entries(held))
    this.#tasks = new Set(places)
    this.#sendsOutputs = fetchOutputs
    this.#frames = frames
  }

  async send({ key, place: task, id, isOver }: SentTask): Promise<void> {
    const beside = [...(id === undefined ? [] : [logPathOf(id)]), failurePathOf(key)]
    const paths = [...beside, ...filesIn(this.#folder, task, isOver && this.#sendsOutputs)]
    const there = paths.filter((path) => existsSync(join(this.#folder, path)))
    for (const path of there) {
      const file = followedFileAt(path, this.#tasks)
      const isResult = file?.task !== null && file?.name === runFiles.result
      if (file && (isOver || !isResult)) await this.#sendFile(path, file.kind)
    }
    for (const [path] of this.#held)
      if ((path.startsWith(`${task}/`) || beside.includes(path)) && !existsSync(join(this.#folder, path))) {
        this.#held.delete(path)
        await this.#frames.send({ type: 'gone', path })
      }
  }

  async #sendFile(path: string, kind: FileKind): Promise<void> {
    const file = join(this.#folder, path)
    const descriptor = openFile(file)
    try {
      const { size, mtimeMs } = fstatSync(descriptor)
      const modified = Math.round(mtimeMs)
      const held = this.#held.get(path)
      if (held?.size === size && held.modified === modified) return
      if (kind !== 'weights' && size > mostFileBytes) return await this.#leaveOut(path, size)
      const grows = kind === 'grows'
      const hasGrown = grows && held !== undefined && held.size <= size && held.end === endHash(file, held.size)
      const start = hasGrown ? held.size : 0
      this.#held.delete(path)
      for (let offset = start, isFirst = !hasGrown; offset < size || isFirst; isFirst = false) {
        const bytes = Buffer.alloc(Math.min(mostBytes, size - offset))
        const length = readSync(descriptor, bytes, 0, bytes.length, offset)
        // It was cut meanwhile: the next look begins it again.
        if (length < bytes.length) return
        await this.#frames.send({ type: 'file', path, grows, offset, length, size, modified }, bytes)
        offset += length
      }
      this.#held.set(path, { size, modified, end: grows ? endHash(file, size) : null })
    } finally {
      closeSync(descriptor)
    }
  }

  async #leaveOut(path: string, size: number): Promise<void> {
    if (this.#tooLarge.has(path)) return
    this.#tooLarge.add(path)
    const message = `${path} has ${size} bytes, and stays on the cluster: ${mostFileBytes} are the most that are fetched`
    await this.#frames.send({ type: 'note', level: 'warning', message })
  }
}

/** Files of a run: its description first and its result last, so that whoever reads a copy never sees less than it says. */
function filesIn(sweep: string, task: string, withOutputs: boolean): string[] {
  const folder = join(sweep, task)
  const named = (within: string): string[] =>
    existsSync(join(folder, within))
      ? readdirSync(join(folder, within), { withFileTypes: true }).flatMap((entry) => {
          const name = within === '' ? entry.name : `${within}/${entry.name}`
          if (entry.isFile()) return [name]
          return entry.isDirectory() && within.startsWith('output') ? named(name) : []
        })
      : []
  const names = [...named(''), ...named(runFiles.predictions), ...(withOutputs ? named('output') : [])]
  return names.toSorted((one, other) => rank(one) - rank(other)).map((name) => `${task}/${name}`)
}

const rank = (name: string): number => (name === runFiles.run ? 0 : name === runFiles.result ? 2 : 1)
