import type { Stats } from 'node:fs'
import { opendir, realpath, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { FolderListing } from '../contract.ts'
import { isWithin, requireAllowed } from './allowed-paths.ts'
import type { Context, Handlers } from './context.ts'
import { exists } from './files.ts'
import { ProblemError } from './problems.ts'

type Entry = FolderListing['entries'][number]

const mostEntries = 2000
const atOnce = 32

/** Stands in for the system's dialogs where the host has none. */
export function folderHandlers({ options: { platform } }: Pick<Context, 'options'>): Handlers<'folders.list'> {
  return {
    'folders.list': async ({ path, showFiles }) => {
      const { allowedFolders: allowed } = platform
      if (allowed === null) throw new ProblemError('unsupported', 'This host shows the dialogs of the system instead.')
      if (path === undefined) return { path: '', parent: null, entries: await topFolders(allowed), truncated: false }
      await requireAllowed(platform, [path])
      return await listFolder(path, showFiles, allowed)
    },
  }
}

async function listFolder(path: string, showFiles: boolean, allowed: readonly string[]): Promise<FolderListing> {
  const folder = await realpath(path)
  if (!(await stat(folder)).isDirectory())
    throw new ProblemError('bad-file', `${path} is a file, not a folder.`, { file: path })
  const { names, truncated } = await namesIn(folder)
  const entries: Entry[] = []
  for (let from = 0; from < names.length; from += atOnce) {
    const some = names.slice(from, from + atOnce).map((name) => entryOf(join(folder, name), name, allowed))
    entries.push(...(await Promise.all(some)).filter((entry) => entry !== null))
  }
  return {
    path: folder,
    parent: isWithin(dirname(folder), allowed) && dirname(folder) !== folder ? dirname(folder) : null,
    entries: entries.filter(({ kind }) => showFiles || kind === 'folder').sort(byKindAndName),
    truncated,
  }
}

async function topFolders(allowed: readonly string[]): Promise<Entry[]> {
  const entries = await Promise.all(allowed.map((folder) => entryOf(folder, folder, allowed)))
  return entries.filter((entry) => entry !== null)
}

/** Names that are not hidden, no more than can be shown. */
async function namesIn(folder: string): Promise<{ names: string[]; truncated: boolean }> {
  const names: string[] = []
  for await (const { name } of await opendir(folder)) {
    if (name.startsWith('.')) continue
    if (names.length === mostEntries) return { names, truncated: true }
    names.push(name)
  }
  return { names, truncated: false }
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
    const { names } = await namesIn(folder)
    return names.some((name) => /\.safetensors(\.index\.json)?$/.test(name))
  } catch {
    return false
  }
}

const byKindAndName = (a: Entry, b: Entry): number =>
  a.kind === b.kind ? a.name.localeCompare(b.name, undefined, { numeric: true }) : a.kind === 'folder' ? -1 : 1
