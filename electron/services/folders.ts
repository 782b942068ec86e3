import type { Dirent, Stats } from 'node:fs'
import { opendir, realpath, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isWithin } from '../../engine/shared/allowed-folders.ts'
import type { FolderListing } from '../contract/index.ts'
import { ProblemError } from '../problems.ts'
import { requireAllowed } from './allowed-paths.ts'
import type { Context } from './context.ts'
import { exists } from './files.ts'
import type { Handlers } from './handlers.ts'

type Entry = FolderListing['entries'][number]

/** A folder with more names than this is not read to its end. */
const mostNames = 100_000
/** Only these are looked at one by one, and drawn: what they are, how large, and whether they can be imported. */
const mostEntries = 500
const atOnce = 32

/** Stands in for the system's dialogs where the host has none. */
export function folderHandlers({ options: { platform } }: Pick<Context, 'options'>): Handlers<'folders.list'> {
  return {
    'folders.list': async ({ path, showFiles, filter }) => {
      const { allowedFolders: allowed } = platform
      if (allowed === null) throw new ProblemError('unsupported', 'This host shows the dialogs of the system instead.')
      const wanted = nameContains(filter)
      if (path === undefined) {
        const entries = await entriesOf(allowed.filter(wanted), (name) => name, allowed)
        return { path: '', parent: null, entries, truncated: false, unread: false }
      }
      await requireAllowed(platform, [path])
      return await listFolder(path, showFiles, wanted, allowed)
    },
  }
}

async function listFolder(
  path: string,
  showFiles: boolean,
  wanted: (name: string) => boolean,
  allowed: readonly string[],
): Promise<FolderListing> {
  const folder = await realpath(path)
  if (!(await stat(folder)).isDirectory())
    throw new ProblemError('bad-file', `${path} is a file, not a folder.`, { file: path })
  const { folders, files, links, unread } = await namesIn(folder, wanted)
  // What a link leads to is known only once it is followed, which is not done for any number of them.
  const followed = links.sort(byName).slice(0, mostEntries)
  await each(followed, async (name) => {
    const target = await stat(join(folder, name)).catch(() => null)
    if (target?.isDirectory()) folders.push(name)
    else if (target?.isFile()) files.push(name)
  })
  const names = [...folders.sort(byName), ...(showFiles ? files.sort(byName) : [])]
  return {
    path: folder,
    parent: isWithin(dirname(folder), allowed) && dirname(folder) !== folder ? dirname(folder) : null,
    entries: await entriesOf(names.slice(0, mostEntries), (name) => join(folder, name), allowed),
    truncated: names.length > mostEntries || links.length > followed.length,
    unread,
  }
}

interface Names {
  folders: string[]
  files: string[]
  links: string[]
  /** Whether there are names beyond those that were read. */
  unread: boolean
}

/** The names in a folder that are wanted and not hidden, in no order. */
async function namesIn(folder: string, wanted: (name: string) => boolean): Promise<Names> {
  const found: Names = { folders: [], files: [], links: [], unread: false }
  let read = 0
  for await (const entry of await opendir(folder, { bufferSize: 1024 })) {
    if (entry.name.startsWith('.')) continue
    if (read++ === mostNames) return { ...found, unread: true }
    if (wanted(entry.name)) kindIn(found, entry)?.push(entry.name)
  }
  return found
}

function kindIn({ folders, files, links }: Names, entry: Dirent): string[] | null {
  if (entry.isDirectory()) return folders
  if (entry.isFile()) return files
  return entry.isSymbolicLink() ? links : null
}

/** In the order of the names, without those of which there is nothing to show. */
async function entriesOf(
  names: readonly string[],
  pathOf: (name: string) => string,
  allowed: readonly string[],
): Promise<Entry[]> {
  const entries = await each(names, (name) => entryOf(pathOf(name), name, allowed))
  return entries.filter((entry) => entry !== null)
}

/** A few at a time, so that nothing else waits long for the disk. */
async function each<T>(names: readonly string[], act: (name: string) => Promise<T>): Promise<T[]> {
  const results: T[] = []
  for (let from = 0; from < names.length; from += atOnce)
    results.push(...(await Promise.all(names.slice(from, from + atOnce).map(act))))
  return results
}

/** Null for what is neither file nor folder, cannot be read, or is a link that leads out of what is allowed. */
async function entryOf(path: string, name: string, allowed: readonly string[]): Promise<Entry | null> {
  let real: string
  let found: Stats
  try {
    real = await realpath(path)
    found = await stat(real)
  } catch {
    return null
  }
  if (!isWithin(real, allowed) || !(found.isFile() || found.isDirectory())) return null
  const isFolder = found.isDirectory()
  return {
    name,
    path: real,
    kind: isFolder ? 'folder' : 'file',
    bytes: isFolder ? null : found.size,
    modified: found.mtimeMs,
    isCheckpoint: isFolder && (await holdsCheckpoint(real)),
    isRun: isFolder && (await exists(join(real, 'run.json'))),
  }
}

async function holdsCheckpoint(folder: string): Promise<boolean> {
  if (!(await exists(join(folder, 'config.json')))) return false
  try {
    const { files, links } = await namesIn(folder, isWeights)
    return files.length > 0 || links.length > 0
  } catch {
    return false
  }
}

const isWeights = (name: string): boolean => /\.safetensors(\.index\.json)?$/.test(name)

/** Without regard to case, and to how the system composes accents. */
function nameContains(filter: string): (name: string) => boolean {
  const part = plain(filter)
  return (name) => plain(name).includes(part)
}

const plain = (text: string): string => text.normalize('NFC').toLowerCase()

const byName = new Intl.Collator(undefined, { numeric: true }).compare
