import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'

/**
 * When a process started, in ticks since the start of the system: that tells it from a later process of the same number.
 * Null where there is no such process, and on systems without /proc.
 */
export const startTicksOf = (pid: number): string | null => linuxStatus(pid)?.startTicks ?? null

/**
 * When a process started, on any system and in its own notation. Null where there is no such process, where it has ended and
 * only its parent still keeps its number, or where the system does not say.
 */
export async function processStart(pid: number): Promise<string | null> {
  if (process.platform === 'linux') {
    const status = linuxStatus(pid)
    return status === null || status.state === 'Z' ? null : status.startTicks
  }
  try {
    if (process.platform === 'win32') {
      const query = `(Get-Process -Id ${pid}).StartTime.ToFileTimeUtc()`
      const { stdout } = await promisify(execFile)('powershell', ['-NoProfile', '-Command', query])
      return stdout.trim() || null
    }
    const { stdout } = await promisify(execFile)('ps', ['-o', 'lstart=', '-p', String(pid)])
    return stdout.trim() || null
  } catch {
    return null
  }
}

/** Whether a process of this number runs, whoever started it. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function linuxStatus(pid: number): { state: string | null; startTicks: string | null } | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name in parentheses may hold anything, spaces too. The state follows it; the start is field 22 of all.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { state: fields[0] ?? null, startTicks: fields[19] ?? null }
  } catch {
    return null
  }
}
