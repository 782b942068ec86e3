import { createReadStream, createWriteStream } from 'node:fs'
import { lstat, mkdir, readFile, rename, rm, stat, statfs } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createGzip } from 'node:zlib'
import { Header, Pack, ReadEntry, Unpack } from 'tar'
import { z } from 'zod'
import type { WorkControl } from '../../engine/shared/work-control.ts'
import { logLineSchema, name, notes, tags, time } from '../contract/index.ts'
import { ProblemError } from '../problems.ts'
import { createFolder, filesOf, syncFile } from './files.ts'

/** What the history knows of a run beyond its folder. */
export const manifestSchema = z.object({
  format: z.literal('secateur-run'),
  version: z.literal(1),
  name,
  notes,
  tags,
  created: time,
  started: time.nullable(),
  finished: time.nullable(),
  log: z.array(logLineSchema.omit({ id: true })).max(100_000),
})
export type Manifest = z.infer<typeof manifestSchema>

const manifestName = 'secateur-run.json'
const runFolder = 'run'
const longestManifest = 64 << 20
const mostEntries = 100_000
/** Left over on the disk at least. */
const spareBytes = 64 << 20
/** Weights hardly shrink, so what grows more than this is made to fill the disk; small archives may. */
const mostGrowth = 200
const smallBytes = 1 << 30
/** Written by one process for the time that it lives, or half written. */
const left = (file: string) => file === 'lock.json' || file.includes('.partial')

/** Writes a run folder with its manifest to one file, `secateur-run.json` first and the folder as `run/`. */
export async function packRun(
  folder: string,
  manifest: Manifest,
  to: string,
  { includeOutput }: { includeOutput: boolean },
  { signal, progress }: WorkControl,
): Promise<void> {
  const all = await filesOf(folder, 'leave out')
  const files = all.filter(({ name: file }) => !left(file) && (includeOutput || !/^output[\\/]/.test(file)))
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0)
  const temporary = `${to}.${process.pid}.partial`
  await mkdir(dirname(resolve(to)), { recursive: true })
  const pack = new Pack({
    cwd: folder,
    portable: true,
    strict: true,
    onWriteEntry: (entry) => {
      if (entry.path !== manifestName) entry.path = `${runFolder}/${entry.path}`
    },
  })
  const text = Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`)
  const header = new Header({ path: manifestName, size: text.length, type: 'File', mode: 0o644, mtime: new Date() })
  const first = new ReadEntry(header)
  pack.add(first)
  first.end(text)
  for (const file of files) pack.add(file.name)
  pack.end()
  try {
    const meter = new Meter((done) => progress(Math.min(done, total), total))
    // Weights hardly shrink: the fastest level is worth as much as the best.
    await pipeline(pack, meter, createGzip({ level: 1 }), createWriteStream(temporary, { flags: 'wx' }), { signal })
    await syncFile(temporary)
    await rename(temporary, to)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

/**
 * Unpacks an archive of a run into a new folder. Whatever could reach outside it, or is no plain file, makes the whole
 * archive be refused, with nothing left behind.
 */
export async function unpackRun(archive: string, to: string, { signal, progress }: WorkControl): Promise<Manifest> {
  const total = (await stat(archive)).size
  const disk = await statfs(await existing(dirname(resolve(to))))
  const room = disk.bavail * disk.bsize - spareBytes
  const refuse = (message: string) => new ProblemError('bad-file', `${archive}: ${message}`, { file: archive })
  const staging = `${resolve(to)}.unpacked`
  try {
    let manifest: Manifest | undefined
    await createFolder(staging, async (temporary) => {
      const abort = new AbortController()
      let entries = 0
      let wrong: ProblemError | undefined
      const unpack = new Unpack({
        cwd: temporary,
        strict: true,
        preserveOwner: false,
        noMtime: true,
        maxDepth: 16,
        filter: (path, entry) => {
          const type = 'type' in entry ? entry.type : 'File'
          const problem = ++entries > mostEntries ? `has more than ${mostEntries} files` : problemOf(path, type)
          if (problem && !wrong) {
            wrong = refuse(problem)
            abort.abort()
          }
          return !problem && !left(basename(path))
        },
      })
      const unpacked = new Meter((done) => {
        if (done > smallBytes && done > mostGrowth * total) {
          wrong ??= refuse(`unpacks to more than ${mostGrowth} times its size`)
          abort.abort()
        }
        if (done <= room) return
        wrong ??= new ProblemError('does-not-fit', `${archive} unpacks to more than the disk has room for.`, {
          file: archive,
        })
        abort.abort()
      })
      const ended = new Promise<void>((settle, reject) => {
        unpack.on('close', settle)
        unpack.on('error', reject)
      })
      // It is the pipeline that fails first.
      ended.catch(() => {})
      try {
        await pipeline(
          createReadStream(archive),
          new Meter((done) => progress(done, total)),
          createGunzip(),
          unpacked,
          unpack as unknown as NodeJS.WritableStream,
          { signal: AbortSignal.any([signal, abort.signal]) },
        )
        await ended
      } catch (error) {
        if (wrong) throw wrong
        if (signal.aborted) throw error
        throw refuse(`is damaged, or no archive of a run (${error instanceof Error ? error.message : String(error)})`)
      }
      if (wrong) throw wrong
      manifest = await readManifest(join(temporary, manifestName), refuse)
      if (!(await lstat(join(temporary, runFolder)).catch(() => null))?.isDirectory())
        throw refuse('holds no run folder')
    })
    await rename(join(staging, runFolder), to)
    return manifest!
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
}

/** Why an entry makes its archive be refused. */
function problemOf(path: string, type: string): string | null {
  if (type !== 'File' && type !== 'OldFile' && type !== 'ContiguousFile' && type !== 'Directory')
    return `holds ${path}, which is no plain file but a ${type}`
  const parts = path.replace(/\/$/, '').split('/')
  const strange = parts.some((part) => part === '' || part === '.' || part === '..' || /[\\:\0]/.test(part))
  if (strange || path.length > 1000) return `holds the path ${JSON.stringify(path)}, which leads out of the archive`
  if (path !== manifestName && parts[0] !== runFolder) return `holds ${path}, which belongs to no run`
  return null
}

async function readManifest(file: string, refuse: (message: string) => ProblemError): Promise<Manifest> {
  const { size } = await stat(file).catch(() => ({ size: -1 }))
  if (size < 0) throw refuse(`has no ${manifestName}: it is no archive of a run`)
  if (size > longestManifest) throw refuse(`${manifestName} is too long`)
  let value: unknown
  try {
    value = JSON.parse(await readFile(file, 'utf8'))
  } catch {
    throw refuse(`${manifestName} is not valid JSON`)
  }
  const parsed = manifestSchema.safeParse(value)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  throw refuse(`${manifestName}: ${issue?.path.join('.')}: ${issue?.message}`)
}

/** Counts the bytes that pass. */
class Meter extends Transform {
  constructor(count: (done: number) => void) {
    let done = 0
    super({
      transform(chunk: Buffer, _encoding, next) {
        done += chunk.length
        count(done)
        next(null, chunk)
      },
    })
  }
}

/** The folder, or the nearest one above it that is there. */
async function existing(path: string): Promise<string> {
  const found = await stat(path).catch(() => null)
  return found || dirname(path) === path ? path : await existing(dirname(path))
}
