import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ProblemError } from '../../electron/problems.ts'
import { SecateurError } from '../../engine/shared/errors.ts'
import { treeOf } from './files.ts'
import type { Input, Target } from './target.ts'

/** Bytes that the process may grow by at its peak. */
const mostMemory = 400 * 2 ** 20
const descriptors = '/proc/self/fd'

/** Where inputs are laid out: nothing but `input` and `out` may be in it when one has been read. */
export interface Place {
  root: string
  input: string
  out: string
}

export function placeIn(root: string): Place {
  mkdirSync(root, { recursive: true })
  return { root, input: join(root, 'input'), out: join(root, 'out') }
}

/** Reads an input as its target does. Returns what is wrong with how that went; null where it went as it should. */
export async function runInput(target: Target, input: Input, place: Place): Promise<string | null> {
  rmSync(place.input, { recursive: true, force: true })
  rmSync(place.out, { recursive: true, force: true })
  for (const [name, bytes] of Object.entries(input)) {
    mkdirSync(dirname(join(place.input, name)), { recursive: true })
    writeFileSync(join(place.input, name), bytes)
  }
  const before = openFiles()
  const peak = process.resourceUsage().maxRSS
  const started = process.cpuUsage()
  let wrong: string | null = null
  try {
    await target.read(place.input, place.out)
  } catch (error) {
    wrong = faultOf(error, target, place)
    if (wrong === null && existsSync(place.out)) wrong = `left ${treeOf(place.out).join(', ') || 'a folder'} behind`
  }
  const { user, system } = process.cpuUsage(started)
  const milliseconds = (user + system) / 1000
  const grown = (process.resourceUsage().maxRSS - peak) * 1024
  if (milliseconds > (target.patience ?? 3000)) wrong ??= `took ${Math.round(milliseconds)} ms of a processor`
  if (grown > mostMemory) wrong ??= `took ${Math.round(grown / 2 ** 20)} MiB of memory`
  return wrong ?? traceOf(input, place) ?? (target.keepsFiles ? null : await leakOf(before))
}

/** What is wrong with an error: it is none that a user is meant to read, or names nothing. */
function faultOf(error: unknown, { names = 'file' }: Target, { root }: Place): string | null {
  if (!(error instanceof SecateurError) && !(error instanceof ProblemError))
    return `ended in ${error instanceof Error ? error.stack : String(error)}`
  const { file, field, kind } = error instanceof ProblemError ? error.problem : error
  if (kind === 'internal') return `ended in ${error.message}`
  if (error.message.length > 10_000) return `has a message of ${error.message.length} characters`
  if (names === 'field') return field || error.message ? null : 'has an error without a word'
  return file?.startsWith(root) || error.message.includes(root) ? null : `names no file: ${error.message}`
}

/** What has changed where nothing may. */
function traceOf(input: Input, { root, input: folder, out }: Place): string | null {
  const left = readdirSync(root).filter((name) => join(root, name) !== folder && join(root, name) !== out)
  if (left.length > 0) return `left ${left.join(', ')} behind`
  const files = treeOf(folder)
  const added = files.find((name) => !Object.hasOwn(input, name))
  if (added !== undefined) return `left ${added} behind`
  const changed = Object.keys(input).find((name) => !readFileSync(join(folder, name)).equals(input[name]!))
  return changed === undefined ? null : `changed ${changed}`
}

const openFiles = (): number => (existsSync(descriptors) ? readdirSync(descriptors).length : 0)

/** Files that stay open. Threads and streams close theirs a moment later. */
async function leakOf(before: number): Promise<string | null> {
  for (let tries = 0; tries < 50; tries++) {
    if (openFiles() <= before) return null
    await sleep(20)
  }
  return `left ${openFiles() - before} files open`
}
