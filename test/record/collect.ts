import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, sep } from 'node:path'
import type { RecordedEvent } from './engine.ts'
import { hashOf, tensorsIn } from './tensors.ts'

/** What differs between two runs of the same job (times, memory in use), and sentences, which may be said better. */
const volatile = new Set([
  'finished',
  'started',
  'seconds',
  'secondsFrom',
  'secondsLeft',
  'latency',
  'tokensPerSecond',
  'imagesPerSecond',
  'peakMemoryBytes',
  'freeMemoryBytes',
  'freeDiskBytes',
  'warnings',
  'compatibility',
  'protocol',
  'message',
  'field',
])
const volatileColumn = /^(peak memory|seconds)/
/** Events that say what came out; the run folder has the rest. */
const lasting = ['estimate', 'result']

/** Copies what a case's folder holds into the record, normalised. */
export function collect(folder: string, target: string, work: string): void {
  for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    const parts = path.split(sep)
    const write = (suffix: string, text: string) => {
      const file = join(target, `${path}${suffix}`)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, text)
    }
    const file = join(folder, path)
    const text = () => readFileSync(file, 'utf8')
    if (/(^|\.)lock$|^(run\.json|log\.jsonl|report\.md|README\.md)$/.test(basename(path)) || parts.includes('figures'))
      continue
    if (parts.includes('state') && path.endsWith('.safetensors')) {
      const { metadata, tensors } = tensorsIn(file)
      write('.tensors', lines(tensors.map(({ name, described }) => `${name} ${described}`)))
      // Sorted by value: a tensor may be called something else.
      write('.values', lines([metadata, ...tensors.map(({ described }) => described).sort()]))
    } else if (path.endsWith('.safetensors')) {
      const { metadata, tensors } = tensorsIn(file)
      const listed = tensors.map(({ name, described }) => `${name} ${described}`)
      write('.tensors', lines([`the whole file ${hashOf(readFileSync(file))}`, metadata, ...listed]))
    } else if (/^(adapter_|generation_)?config\.json$/.test(basename(path))) write('', withoutPaths(text(), work))
    else if (path.endsWith('.jsonl')) write('', lines(jsonLines(text()).map((value) => normalised(value, work))))
    else if (path.endsWith('.csv')) write('', lastingColumns(text()))
    else if (path.endsWith('.json') && !basename(path).includes('token'))
      write('', `${JSON.stringify(lastingParts(JSON.parse(withoutPaths(text(), work))), null, 2)}\n`)
    else if (statSync(file).isFile()) write('.sha256', `${hashOf(readFileSync(file))}\n`)
  }
}

/** The events of a call that say what came out, one a line. */
export const readableEvents = (events: readonly RecordedEvent[], work: string): string =>
  lines(
    events.flatMap((event) => {
      if (lasting.includes(event.type)) return normalised(event, work)
      // What is said of an error may be said better; of which kind it is, stays.
      return event.type === 'error' ? JSON.stringify({ type: 'error', kind: event['kind'] }) : []
    }),
  )

const lines = (texts: readonly string[]): string => texts.map((text) => `${text}\n`).join('')
const jsonLines = (text: string): unknown[] =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line): unknown => JSON.parse(line))
const normalised = (value: unknown, work: string): string => withoutPaths(JSON.stringify(lastingParts(value)), work)
const withoutPaths = (text: string, work: string): string => text.replaceAll(work, '<work>')

function lastingParts(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(lastingParts)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !volatile.has(name))
      .map(([name, part]) => [name, lastingParts(part)]),
  )
}

/** A table of a sweep, without the columns of times and memory. None of its cells holds a comma. */
function lastingColumns(csv: string): string {
  const rows = csv.trimEnd().split('\n')
  const header = rows[0]!.split(',')
  const kept = rows.map((row) => row.split(',').filter((_, column) => !volatileColumn.test(header[column] ?? '')))
  return lines(kept.map((cells) => cells.join(',')))
}
