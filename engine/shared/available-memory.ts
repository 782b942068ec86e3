import { readFileSync } from 'node:fs'
import { freemem, totalmem } from 'node:os'
import { dirname } from 'node:path'

type Read = (file: string) => string

/** Names of what a control group says of its memory, and where, in both versions of Linux's interface. */
const versions = [
  {
    folder: '/sys/fs/cgroup',
    limit: 'memory.max',
    used: 'memory.current',
    cached: ['inactive_file', 'active_file'],
    is: (controllers: string) => controllers === '',
  },
  {
    folder: '/sys/fs/cgroup/memory',
    limit: 'memory.limit_in_bytes',
    used: 'memory.usage_in_bytes',
    cached: ['total_inactive_file', 'total_active_file'],
    is: (controllers: string) => controllers.split(',').includes('memory'),
  },
]

/**
 * Bytes that can be had without swapping: of the machine, and of every control group that this process is in (a container, a
 * unit of systemd). What a group counts of files that were read is given back when it is asked for, and is not counted.
 *
 * @param read text of a file, and `free` bytes of the machine, for tests
 */
export const availableMemory = (read: Read = textOfFile, free = freeOfMachine()): number =>
  Math.max(
    0,
    leastOf(read, free, (group) => group.free),
  )

/**
 * Bytes that could be had if nothing else ran: of the machine, and of every control group that this process is in.
 *
 * @param read text of a file, and `total` bytes of the machine, for tests
 */
export const totalMemory = (read: Read = textOfFile, total = totalmem()): number =>
  leastOf(read, total, ({ most }) => most)

const textOfFile: Read = (file) => readFileSync(file, 'utf8')

function leastOf(read: Read, ofMachine: number, of: (group: Group) => number): number {
  let least = ofMachine
  for (const [, controllers = '', path = ''] of textOf(read, '/proc/self/cgroup').matchAll(/^\d+:([^:]*):(.*)$/gm))
    for (const version of versions)
      if (version.is(controllers))
        for (const group of withParents(path)) least = Math.min(least, of(memoryOf(version, group, read)))
  return least
}

const freeOfMachine = (): number => (process.platform === 'linux' ? freemem() : process.availableMemory() || freemem())

/** A group's path and those of all that it is in; the root's is empty. */
function withParents(path: string): string[] {
  const groups = ['']
  for (let at = path; at !== '/' && at.startsWith('/'); at = dirname(at)) groups.push(at)
  return groups
}

interface Group {
  /** Infinity where the group has no limit, or none can be read. */
  most: number
  /** What is left of it. */
  free: number
}

function memoryOf({ folder, limit, used, cached }: (typeof versions)[number], group: string, read: Read): Group {
  const numberIn = (name: string) => {
    const text = textOf(read, `${folder}${group}/${name}`).trim()
    return /^\d+$/.test(text) ? Number(text) : null
  }
  const [most, taken] = [numberIn(limit), numberIn(used)]
  if (most === null || taken === null) return { most: most ?? Infinity, free: Infinity }
  const statistics = textOf(read, `${folder}${group}/memory.stat`)
  const files = cached.reduce(
    (sum, name) => sum + Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(statistics)?.[1] ?? 0),
    0,
  )
  return { most, free: most - Math.max(0, taken - files) }
}

function textOf(read: Read, file: string): string {
  try {
    return read(file)
  } catch {
    return ''
  }
}
