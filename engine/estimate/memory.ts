import { readFileSync } from 'node:fs'

/** The most memory that this process has held, in bytes. */
export function peakMemory(): { peakMemoryBytes: number } {
  const kilobytes = process.resourceUsage().maxRSS
  try {
    const high = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))
    if (high) return { peakMemoryBytes: Number(high[1]) * 1024 }
  } catch {
    // Only Linux has /proc.
  }
  return { peakMemoryBytes: kilobytes * 1024 }
}
