import { homedir } from 'node:os'
import { join } from 'node:path'

/** Fields of requests that are places; paths within jobs are chosen, or checked where they are typed. */
const fields = ['path', 'to', 'folder', 'runsFolder', 'checkpointsFolder']

/** A request with its home folder written out, where a path begins with `~` as shells have it. */
export function withHome(input: unknown, home = homedir()): unknown {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return input
  return Object.fromEntries(
    Object.entries(input).map(([name, value]: [string, unknown]) => [
      name,
      fields.includes(name) && typeof value === 'string' && /^~($|[/\\])/.test(value)
        ? join(home, value.slice(1))
        : value,
    ]),
  )
}
