import { readFileSync } from 'node:fs'

/**
 * Processes that Linux has killed since it started because memory ran out: of this process's control group, which its
 * children share, where that counts them, and of the whole machine otherwise. Null where nothing counts them. A count that
 * is higher after a process was killed than before says why it was.
 *
 * @param read text of a file, for tests
 */
export function outOfMemoryKills(read: (file: string) => string = (file) => readFileSync(file, 'utf8')): number | null {
  const counted = (file: string): number | null => {
    try {
      const [, count] = /^oom_kill (\d+)$/m.exec(read(file)) ?? []
      return count === undefined ? null : Number(count)
    } catch {
      return null
    }
  }
  // A line a hierarchy: "0::/path" of version 2, "4:memory:/path" of version 1.
  for (const [, controllers = '', path = ''] of textOr(read, '/proc/self/cgroup').matchAll(/^\d+:([^:]*):(.*)$/gm)) {
    const count =
      controllers === ''
        ? counted(`/sys/fs/cgroup${path}/memory.events`)
        : controllers.split(',').includes('memory')
          ? counted(`/sys/fs/cgroup/memory${path}/memory.oom_control`)
          : null
    if (count !== null) return count
  }
  return counted('/proc/vmstat')
}

function textOr(read: (file: string) => string, file: string): string {
  try {
    return read(file)
  } catch {
    return ''
  }
}
