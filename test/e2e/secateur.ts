import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after } from 'node:test'
import { type EngineEvent, eventSchema } from '../../engine/contract/index.ts'

export const root = resolve(import.meta.dirname, '../..')
/** A file of the sample that the repository ships. */
export const sample = (path: string): string => join(root, 'resources/sample', path)
/** A file of the shared test data, which a clone may lack. */
export const shared = (path: string): string => join(root, '../shared/data', path)

/** A folder that goes when the tests of the file are over. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'secateur-e2e-'))
  after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export interface Ran {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

/**
 * Runs the command line as a process of its own.
 *
 * @param onLine sees every line of standard output as it comes, and may kill the process.
 */
export function secateur(
  args: readonly string[],
  onLine?: (line: string, kill: (signal: NodeJS.Signals) => void) => void,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Ran> {
  return new Promise((done, failed) => {
    const child = spawn(process.execPath, [join(root, 'engine/entries/main.ts'), ...args], { cwd: root, env })
    let stdout = ''
    let stderr = ''
    let seen = 0
    child.stdout.setEncoding('utf8').on('data', (more: string) => {
      stdout += more
      for (let end = stdout.indexOf('\n', seen); end >= 0; end = stdout.indexOf('\n', seen)) {
        onLine?.(stdout.slice(seen, end), (signal) => void child.kill(signal))
        seen = end + 1
      }
    })
    child.stderr.setEncoding('utf8').on('data', (more: string) => (stderr += more))
    child.on('error', failed)
    child.on('close', (code, signal) => done({ code, signal, stdout, stderr }))
  })
}

/** Standard output of a `--json` call, every line of which must be one JSON object. */
export function linesOf({ stdout, stderr }: Ran): Record<string, unknown>[] {
  if (!stdout.endsWith('\n')) throw new Error(`standard output ends in half a line: ${stdout.slice(-200)} ${stderr}`)
  return stdout
    .slice(0, -1)
    .split('\n')
    .map((line) => {
      const value: unknown = JSON.parse(line)
      if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`not an object: ${line}`)
      return value as Record<string, unknown>
    })
}

/** Events of a `--json` call, checked with the schema that programs read them with. */
export const eventsOf = (ran: Ran): EngineEvent[] => linesOf(ran).map((line) => eventSchema.parse(line))
