import { spawn } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { eventSchema, type ResultEvent } from '../../engine/contract/index.ts'
import { makeReporter } from '../../engine/entries/command-line/report.ts'

export const root = join(import.meta.dirname, '../..')

/** A new folder for a run of the demo. */
export const runFolder = (name: string): string =>
  join(root, 'runs', `${name}-${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}`)

/** Runs the command line in a process of its own, so that its peak memory is its own, and shows its progress. */
export async function secateur(title: string, args: string[]): Promise<ResultEvent> {
  console.error(`\n${title}`)
  const reporter = makeReporter({ json: false })
  const child = spawn(process.execPath, [join(root, 'scripts/secateur.mjs'), ...args, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const closed = new Promise<number | null>((resolve) => void child.on('close', resolve))
  let result: ResultEvent | undefined
  for await (const line of createInterface({ input: child.stdout })) {
    const event = eventSchema.parse(JSON.parse(line))
    if (event.type === 'result') result = event
    else if (event.type === 'error') console.error(`secateur: ${event.message}`)
    else reporter.event(event)
  }
  const code = await closed
  reporter.end()
  if (code !== 0 || !result) process.exit(code || 1)
  return result
}

export const number = (value: number) => value.toLocaleString('en-GB')
export const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`
export const percent = (value: number, error: number | null) =>
  `${(100 * value).toFixed(1)}${error === null ? '' : ` ± ${(100 * error).toFixed(1)}`}%`

/** Bytes of the weights in a checkpoint folder. */
export function sizeOf(folder: string): number {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.safetensors'))
    .reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
}

/** Prints rows of cells under each other, the first cell of a row to the left. */
export function printTable(rows: readonly (readonly string[])[]): void {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  console.log()
  for (const [name, ...cells] of rows)
    console.log([name!.padEnd(widths[0]!), ...cells.map((cell, i) => cell.padStart(widths[i + 1]!))].join('   '))
}
