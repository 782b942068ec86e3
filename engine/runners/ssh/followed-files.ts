// Which files of a folder with tasks are copied from a cluster, and how they change there.
import { createHash } from 'node:crypto'
import { closeSync, readSync } from 'node:fs'
import { posix } from 'node:path'
import { lockName } from '../../runs/run-lock.ts'
import { runFiles } from '../../runs/run-files.ts'
import { openFile } from '../../shared/open-file.ts'

/** `grows`: lines are only ever added, unless a run goes back to its saved state; `whole`: replaced as a whole. */
export type FileKind = 'grows' | 'whole' | 'weights'

/** A file by its path in the folder of the whole, with slashes. */
export interface FollowedFile {
  kind: FileKind
  /** Folder of the task that it belongs to, and its path in there; null for what lies beside the tasks. */
  task: string | null
  name: string
}

/** A name that every file system takes, and that leads nowhere else. */
const isPlain = (part: string): boolean => /^[^./\\:*?"<>|\p{Cc}][^/\\:*?"<>|\p{Cc}]{0,199}$/u.test(part)

/** What a path in the folder of the whole is; null for what is not copied. @param tasks folders of its tasks */
export function followedFileAt(path: string, tasks: ReadonlySet<string>): FollowedFile | null {
  const parts = path.split('/')
  if (!parts.every(isPlain) || parts.length > 6) return null
  const [first, second, third] = parts
  if (first === 'cluster') {
    const failed = second === 'failures' ? /^(.+)\.json$/.exec(third ?? '')?.[1] : undefined
    const isLog = second === 'logs' && /^\d+_\d+\.log$/.test(third ?? '')
    if (
      parts.length !== 3 ||
      !(isLog || (failed !== undefined && [...tasks].some((task) => posix.basename(task) === failed)))
    )
      return null
    return { kind: isLog ? 'grows' : 'whole', task: null, name: path }
  }
  // Folders of tasks lie in the whole's, or one below it.
  const task = [first!, parts.slice(0, 2).join('/')].find((place) => tasks.has(place))
  const name = task === undefined ? '' : path.slice(task.length + 1)
  const kind = name === '' ? null : kindInRun(name)
  return kind === null ? null : { kind, task: task!, name }
}

/** Everything in a run folder is small, but for its state and its weights. */
function kindInRun(name: string): FileKind | null {
  const [first, second] = name.split('/') as [string, string | undefined]
  if (first === 'output') return second === undefined ? null : 'weights'
  if (first === runFiles.predictions) return /^[^/]+\/[^/]+\.json$/.test(name) ? 'whole' : null
  if (second !== undefined || name === lockName) return null
  if (name.endsWith('.jsonl')) return 'grows'
  return name.endsWith('.json') ? 'whole' : null
}

/** Bytes at the end of what is there that tell whether a file has only grown since. */
const compared = 1 << 16

/** The hash of the last bytes of a file's first ones. @param size how many these are */
export function endHash(file: string, size: number): string {
  const descriptor = openFile(file)
  try {
    const bytes = Buffer.alloc(Math.min(size, compared))
    const read = readSync(descriptor, bytes, 0, bytes.length, size - bytes.length)
    return createHash('sha256').update(bytes.subarray(0, read)).digest('base64')
  } finally {
    closeSync(descriptor)
  }
}
