import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Says what differs between two records.
 *
 * @returns whether they are equal
 */
export function compareRecords(a: string, b: string): boolean {
  const differences = differencesOf(a, b)
  for (const difference of differences) console.log(difference)
  const files = filesIn(a)
  const cases = new Set(files.map((path) => path.split('/')[0]))
  if (differences.length > 0) {
    const touched = new Set(differences.map((line) => line.split('/')[0]))
    console.log(`different: ${differences.length} files of ${touched.size} cases`)
    return false
  }
  const renamed = files.filter((path) => isStateName(path) && textOf(a, path) !== textOf(b, path))
  if (renamed.length > 0) console.log(`tensors of ${renamed.length} states have other names or another order`)
  console.log(`equal: ${cases.size} cases, ${files.length} files`)
  return true
}

/** A line for each file that is not the same in both folders. */
export function differencesOf(a: string, b: string): string[] {
  const [first, second] = [filesIn(a), filesIn(b)]
  return [...new Set([...first, ...second])].sort().flatMap((path) => {
    if (!second.includes(path)) return `${path}: only in ${a}`
    if (!first.includes(path)) return `${path}: only in ${b}`
    return isStateName(path) ? [] : differenceOf(path, textOf(a, path), textOf(b, path))
  })
}

/** Names in a state are the engine's own; its values stand in the file beside it. */
const isStateName = (path: string): boolean => /(^|\/)state\/.*\.tensors$/.test(path)

function differenceOf(path: string, a: string, b: string): string | [] {
  if (a === b) return []
  const [first, second] = [a.split('\n'), b.split('\n')]
  const line = first.findIndex((text, index) => text !== second[index])
  const at = line < 0 ? first.length : line
  const [one = '', other = ''] = [first[at], second[at]]
  let column = 0
  while (column < one.length && one[column] === other[column]) column++
  const shown = (text: string) => JSON.stringify(text.slice(Math.max(0, column - 60), column + 60))
  return `${path}:${at + 1}: ${shown(one)} and ${shown(other)}`
}

const textOf = (folder: string, path: string): string => readFileSync(join(folder, path), 'utf8')

/** Paths of all files in a folder, with slashes. */
const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => statSync(join(folder, path)).isFile())
    .map((path) => path.replaceAll('\\', '/'))
    .sort()
