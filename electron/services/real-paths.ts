import type { Dirent } from 'node:fs'
import { lstat, readdir, readlink, realpath } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, parse, resolve } from 'node:path'
import { ProblemError } from '../problems.ts'

/** The kernel follows no more of them in one path. */
const mostLinks = 40
/** Folders below each other that are looked through at most, as wherever else folders are read. */
const mostDepth = 16

/**
 * The path that the system would open, without links: a `..` leads up from where a link before it led to, and a link to what
 * does not exist counts as what it names. Of what does not exist yet, the folder that it would be made in counts.
 *
 * @throws ProblemError where links lead round in a circle, or where the path has two meanings: programs that shorten `a/..`
 *   to nothing would open another file than the system
 */
export async function realPathOf(path: string): Promise<string> {
  if (path.includes('\0'))
    throw new ProblemError('bad-setting', `${JSON.stringify(path)} holds a NUL byte, which no path does.`)
  const short = await follow(path, resolve(path))
  // Windows shortens before it follows.
  if (process.platform === 'win32' || !/(^|[\\/])\.\.([\\/]|$)/.test(path)) return short
  const long = await follow(path, isAbsolute(path) ? path : `${process.cwd()}/${path}`)
  if (long === short) return long
  throw new ProblemError(
    'refused',
    `${path} goes up with .. from where a link leads, so that it may mean ${long} or ${short}: write the one that is meant.`,
    { file: path },
  )
}

async function follow(given: string, absolute: string): Promise<string> {
  const { root } = parse(absolute)
  const ahead = partsOf(absolute.slice(root.length))
  let at = root
  let links = 0
  for (let part = ahead.shift(); part !== undefined; part = ahead.shift()) {
    if (part === '..') {
      at = dirname(at)
      continue
    }
    const target = await readlink(join(at, part)).catch(() => null)
    if (target === null) {
      at = join(at, part)
      continue
    }
    if (++links > mostLinks)
      throw new ProblemError('bad-file', `${given} goes round in a circle of links.`, { file: given })
    if (isAbsolute(target)) at = parse(target).root
    ahead.unshift(...partsOf(isAbsolute(target) ? target.slice(at.length) : target))
  }
  return await withoutAliases(at)
}

/** The system knows other names of one file than links: short names of Windows, names in another case. */
async function withoutAliases(path: string): Promise<string> {
  const parent = dirname(path)
  return await realpath(path).catch(async () =>
    parent === path ? path : join(await withoutAliases(parent), basename(path)),
  )
}

const partsOf = (path: string): string[] =>
  path.split(process.platform === 'win32' ? /[\\/]/ : '/').filter((part) => part !== '' && part !== '.')

/** A GGUF file whose model lies in several: the others are read with it. */
const splitFile = /-\d{5}-of-\d{5}\.gguf$/i

/**
 * The links in a folder and below it, which are not followed; beside a part of a split GGUF file, those of its other parts;
 * none where it is another file.
 */
export async function linksIn(folder: string, depth = 0): Promise<string[]> {
  if (depth > mostDepth) throw new ProblemError('bad-file', `${folder} is nested too deeply.`, { file: folder })
  if (depth === 0 && !(await lstat(folder).catch(() => null))?.isDirectory()) return await linksBeside(folder)
  const found: string[] = []
  for (const entry of await entriesOf(folder)) {
    const path = join(folder, entry.name)
    if (entry.isSymbolicLink()) found.push(path)
    else if (entry.isDirectory()) found.push(...(await linksIn(path, depth + 1)))
  }
  return found
}

async function linksBeside(file: string): Promise<string[]> {
  if (!splitFile.test(basename(file))) return []
  const parts = (await entriesOf(dirname(file))).filter((entry) => entry.isSymbolicLink() && splitFile.test(entry.name))
  return parts.map((entry) => join(dirname(file), entry.name))
}

/** What a folder holds; nothing where it may not be read, since then nobody else here reads it either. */
const entriesOf = (folder: string): Promise<Dirent[]> => readdir(folder, { withFileTypes: true }).catch(() => [])
