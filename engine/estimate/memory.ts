import { readFileSync } from 'node:fs'

/** Bytes that this process holds for itself alone: what would be free without it. */
export const ownMemory = (): number => statusBytes('RssAnon') ?? process.memoryUsage.rss()

/** The most memory that this process has held, in bytes. */
export function peakMemory(): { peakMemoryBytes: number } {
  return { peakMemoryBytes: statusBytes('VmHWM') ?? process.resourceUsage().maxRSS * 1024 }
}

/** The most that this process has held, and what it holds now, with what it has read of files that lie in memory. */
export const processMemory = (): { peakBytes: number; heldBytes: number } => ({
  peakBytes: peakMemory().peakMemoryBytes,
  heldBytes: statusBytes('VmRSS') ?? process.memoryUsage.rss(),
})

/** Bytes of a line of what Linux says of this process; only Linux has /proc. */
function statusBytes(name: string): number | undefined {
  try {
    const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))
    return found ? Number(found[1]) * 1024 : undefined
  } catch {
    return undefined
  }
}
