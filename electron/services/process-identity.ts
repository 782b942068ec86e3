import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

/**
 * What tells a process from a later one of the same number: when the system started it. Null where there is no such
 * process, or the system does not say.
 */
export async function processStart(pid: number): Promise<string | null> {
  try {
    if (process.platform === 'linux') {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
      // The name in parentheses may hold anything; the start is the 22nd field, the 20th after it.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return fields[0] === 'Z' ? null : (fields[19] ?? null)
    }
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
