import { inspect } from 'node:util'

/** What a message of the debug log is about. */
export type Topic = 'backend' | 'estimate' | 'graph' | 'shader' | 'message' | 'images' | 'rows'

/** Whether the environment asks for the debug log: SECATEUR_LOG=debug. */
export const isDebugging = process.env['SECATEUR_LOG'] === 'debug'

/** Writes a line to standard error where the debug log is asked for; `message` is called only then. */
export function debug(topic: Topic, message: () => string): void {
  if (isDebugging) process.stderr.write(`secateur ${seconds()} ${topic}: ${message()}\n`)
}

/** Counts something that happens too often for a line each. The sums are written when the process ends. */
export function tally(topic: Topic, what: string): void {
  if (!isDebugging) return
  if (counts.size === 0) process.once('exit', writeCounts)
  const key = `${topic}: ${what}`
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

/** A message between processes on one line, its long parts cut. */
export const abridged = (message: unknown): string =>
  inspect(message, { breakLength: Infinity, compact: true, depth: 3, maxArrayLength: 8, maxStringLength: 200 })

const counts = new Map<string, number>()

function writeCounts(): void {
  for (const [key, times] of counts) process.stderr.write(`secateur ${seconds()} ${key} ${times} times\n`)
}

/** Time since the process started. */
const seconds = () => `${(performance.now() / 1000).toFixed(3)} s`
