import { createWriteStream } from 'node:fs'
import { lstat, mkdir, readFile, rename, rm, stat, statfs } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createGzip } from 'node:zlib'
import { Header, Pack, ReadEntry } from 'tar'
import { z } from 'zod'
import { openFileHandle, refuseSpecial } from '../../engine/shared/open-file.ts'
import type { WorkControl } from '../../engine/shared/work-control.ts'
import { logLineSchema, name, notes, tags, time } from '../contract/index.ts'
import { ProblemError } from '../problems.ts'
import { ArchiveEntries, isLeft, manifestName, runFolder } from './archive-entries.ts'
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

const longestManifest = 64 << 20
/** Left over on the disk at least. */
const spareBytes = 64 << 20
/** Weights hardly shrink, so what grows more than this is made to fill the disk; small archives may. */
const mostGrowth = 200
const smallBytes = 1 << 30
/** Writes a run folder with its manifest to one file, `secateur-run.json` first and the folder as `run/`. */
export async function packRun(
  folder: string,
  manifest: Manifest,
  to: string,
  { includeOutput }: { includeOutput: boolean },
  { signal, progress }: WorkControl,
): Promise<void> {
  const all = await filesOf(folder, 'leave out')
  const files = all.filter(({ name: file }) => !isLeft(file) && (includeOutput || !/^output[\\/]/.test(file)))
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
  refuseSpecial(archive)
  const total = (await stat(archive)).size
  const disk = await statfs(await existing(dirname(resolve(to))))
  const room = disk.bavail * disk.bsize - spareBytes
  const refuse = (message: string) => new ProblemError('bad-file', `${archive}: ${message}`, { file: archive })
  const staging = `${resolve(to)}.unpacked`
  try {
    let manifest: Manifest | undefined
    await createFolder(staging, async (temporary) => {
      const limits = new AbortController()
      let wrong: ProblemError | undefined
      const stop = (problem: ProblemError) => {
        wrong ??= problem
        limits.abort()
      }
      const unpacked = new Meter((done) => {
        if (done > smallBytes && done > mostGrowth * total)
          stop(refuse(`unpacks to more than ${mostGrowth} times its size`))
        if (done > room)
          stop(
            new ProblemError('does-not-fit', `${archive} unpacks to more than the disk has room for.`, {
              file: archive,
            }),
          )
      })
      const entries = new ArchiveEntries(temporary, (problem) => stop(refuse(problem)))
      try {
        await pipeline(
          (await openFileHandle(archive)).createReadStream(),
          new Meter((done) => progress(done, total)),
          createGunzip(),
          unpacked,
          entries,
          { signal: AbortSignal.any([signal, limits.signal]) },
        )
      } catch (error) {
        if (wrong) throw wrong
        if (signal.aborted || isOfDisk(error)) throw error
        throw refuse(`is damaged, or no archive of a run (${error instanceof Error ? error.message : String(error)})`)
      } finally {
        // Whatever is still being written would come back while the folder is taken away.
        await entries.settled()
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

/** What the disk refuses is no fault of the archive. */
const isOfDisk = (error: unknown): boolean =>
  error instanceof Error && 'syscall' in error && 'code' in error && error.code !== 'EEXIST' && error.code !== 'ENOTDIR'

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
