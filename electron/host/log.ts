import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

export type Log = (message: string) => void

const largestBytes = 2 << 20

/** Writes lines with their time to a file, which is kept small, and to standard error. Never throws. */
export function openLog(file: string): Log {
  mkdirSync(dirname(file), { recursive: true })
  let bytes = sizeOf(file)
  return (message) => {
    const line = `${new Date().toISOString()} ${oneLine(message)}\n`
    process.stderr.write(line)
    try {
      if (bytes > largestBytes) {
        renameSync(file, `${file}.1`)
        bytes = 0
      }
      appendFileSync(file, line, { mode: 0o600 })
      bytes += Buffer.byteLength(line)
    } catch {
      // The disk may be full: the app goes on, and standard error has the line.
    }
  }
}

/** What came over a connection must not forge lines of the log or move a terminal's cursor. */
function oneLine(message: string): string {
  return message.slice(0, 2000).replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0
}
