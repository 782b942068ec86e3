// Which files of tests a command means, and the line of results that npm test ends with.
import { existsSync, readFileSync } from 'node:fs'
import { join, relative, resolve, sep } from 'node:path'
import { globSync } from './glob.mjs'
import { longTests } from './long-tests.mjs'
import { root } from './setup.mjs'

const unitFolders = ['test/unit/', 'test/conformance/']
const isSpec = (file) => file.endsWith('.spec.ts')
const all = (pattern) => globSync(join(root, 'test'), pattern).map((file) => relative(root, file).split(sep).join('/'))

/**
 * The files of tests that a command's words mean, as paths from the repository's root: `tests` for node:test and `specs` for
 * Playwright. A word is a file's path or a part of it; no words mean every file that is not long, or with `long` every one
 * that is. Words that begin with a dash are `flags` of node:test, and leave out the specs.
 *
 * @throws Error where a word means no file
 */
export function chooseTests(words, { unit = false, long = false } = {}) {
  const flags = words.filter((word) => word.startsWith('-'))
  const known = all(unit ? /\.test\.ts$/ : /\.(test|spec)\.ts$/).filter(
    (file) => !unit || unitFolders.some((folder) => file.startsWith(folder)),
  )
  const parts = words.filter((word) => !word.startsWith('-'))
  const files =
    parts.length === 0
      ? known.filter((file) => longTests.includes(file) === long)
      : [...new Set(parts.flatMap((part) => filesNamed(part, known)))]
  return { flags, tests: files.filter((file) => !isSpec(file)), specs: flags.length > 0 ? [] : files.filter(isSpec) }
}

function filesNamed(part, known) {
  if (/\.m?[jt]s$/.test(part) && existsSync(resolve(root, part))) return [relative(root, resolve(root, part))]
  const files = known.filter((file) => file.includes(part))
  if (files.length === 0) throw new Error(`no file of tests has "${part}" in its path`)
  return files
}

/** Folders by how long their files take. */
const slowFolders = ['test/gpu/', 'test/e2e/', 'test/fuzz/', 'test/integration/', 'test/unit/electron/']

const rank = (file) => {
  const at = slowFolders.findIndex((folder) => file.startsWith(folder))
  return at < 0 ? slowFolders.length : at
}

/** Files in the order to start them in: begun late, a long one would run on alone when all others are over. */
export const longestFirst = (files) => [...files].sort((one, other) => rank(one) - rank(other))

const shown = 12

/**
 * What the runs of tests wrote to a folder, in words: the files that took longest, and how many tests there were in all.
 *
 * @param failed whether a run failed, which counts as a failed test where no test did
 */
export function describeResults(folder, failed) {
  const results = globSync(folder, /\.json$/).map((file) => JSON.parse(readFileSync(file, 'utf8')))
  const sum = (key) => results.reduce((total, result) => total + result[key], 0)
  const files = results.flatMap((result) => result.files).sort((a, b) => b.seconds - a.seconds)
  const slowest = files
    .slice(0, shown)
    .map(({ file, seconds }) => `${seconds.toFixed(1).padStart(7)} s  ${relative(root, file)}`)
  const missing = failed && sum('failed') === 0 ? 1 : 0
  return [
    ...(files.length > 1 ? [`slowest of ${files.length} files:`, ...slowest] : []),
    `${sum('passed')} passed, ${sum('failed') + missing} failed, ${sum('skipped')} skipped`,
  ].join('\n')
}
