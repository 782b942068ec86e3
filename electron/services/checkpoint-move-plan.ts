import { mkdir, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { isWithin } from '../../engine/shared/allowed-folders.ts'
import { modelName } from '../../engine/shared/model-name.ts'
import type { CheckpointRow } from '../database/checkpoints.ts'
import { ProblemError } from '../problems.ts'
import { requireAllowed, requireAllowedWithin } from './allowed-paths.ts'
import { folderOf, inspectionOf, ownPaths } from './checkpoint-files.ts'
import type { Context } from './context.ts'
import { requireRoom } from './drives.ts'
import { fileName } from './export-place.ts'
import { exists, type FoundFile, filesOf } from './files.ts'
import { linksIn, realPathOf } from './real-paths.ts'

/** What a move of a checkpoint takes from where to where. */
export interface MovePlan {
  row: CheckpointRow
  /** The folder whose files move. */
  folder: string
  files: readonly FoundFile[]
  /** Whether the folder is the checkpoint's own, and goes with them. */
  whole: boolean
  /** A new folder. */
  target: string
  /** Whether the folder only gets another name, since it stays on its drive. */
  renames: boolean
}

/** The folder in which a copy grows before it gets its name. */
export const growingAt = (target: string): string => join(dirname(target), `.${basename(target)}.partial-move`)

/** The files that make up a checkpoint as it lies: those of its folder, or the parts of its GGUF file. */
async function filesToMove(row: CheckpointRow): Promise<Pick<MovePlan, 'folder' | 'files' | 'whole'>> {
  const folder = folderOf(inspectionOf(row), row.path)
  const own = ownPaths(row)
  const whole = own.length === 1 && own[0] === folder
  if (whole) return { folder, whole, files: await filesOf(folder, 'leave out') }
  const files: FoundFile[] = []
  for (const path of own) files.push({ name: basename(path), bytes: (await stat(path)).size })
  return { folder, whole, files }
}

/**
 * What is to be done to move checkpoints into a folder.
 *
 * @throws ProblemError where one of them cannot be moved, or they do not fit: nothing has happened then
 */
export async function planMoves(context: Context, rows: readonly CheckpointRow[], to: string): Promise<MovePlan[]> {
  const into = await realPathOf(resolve(to))
  await requireAllowed(context.options.platform, [into])
  await mkdir(into, { recursive: true })
  const device = (await stat(into)).dev
  const plans: MovePlan[] = []
  const taken = new Set<string>()
  for (const row of rows) {
    await requireMovable(context, row)
    const parts = await filesToMove(row)
    const { folder, whole } = parts
    const name = row.storage === 'run-output' ? fileName(row.name) : modelName(whole ? folder : row.path)
    if (whole && isWithin(into, [folder]))
      throw new ProblemError('bad-setting', `${to} is within ${folder}, which is to be moved.`, { field: 'to' })
    if (whole && dirname(folder) === into)
      throw new ProblemError('conflict', `${row.name} is in ${into} already.`, { field: 'to' })
    let target = join(into, name)
    for (let number = 2; taken.has(target) || (await isTaken(context, target)); number++)
      target = join(into, `${name}-${number}`)
    taken.add(target)
    plans.push({ row, ...parts, target, renames: whole && (await stat(folder)).dev === device })
  }
  await requireRoom(
    into,
    plans.filter(({ renames }) => !renames).flatMap(({ files }) => files),
  )
  return plans
}

/** Whether something is there, or would be as an entry of the library that is missing now. */
const isTaken = async ({ checkpoints }: Context, target: string): Promise<boolean> =>
  (await exists(target)) ||
  (await exists(growingAt(target))) ||
  checkpoints.all().some(({ path }) => isWithin(path, [target]))

async function requireMovable({ options }: Context, row: CheckpointRow): Promise<void> {
  if (row.status === 'missing' || row.status === 'away')
    throw new ProblemError('bad-file', `The files of ${row.name} are not there now: they cannot be moved.`, {
      file: row.path,
    })
  await requireAllowedWithin(options.platform, [row.path])
  const { text, images } = options.samples
  if (isWithin(row.path, [text, images, join(options.dataFolder, 'samples')]))
    throw new ProblemError('unsupported', `${row.name} comes with Secateur and stays where it is: copy it instead.`)
  const folder = folderOf(inspectionOf(row), row.path)
  const links = folder === row.path ? await linksIn(folder) : await linksIn(row.path)
  if (links[0] !== undefined)
    throw new ProblemError(
      'unsupported',
      `${row.name} is made of links, as in the cache of the Hugging Face hub, which keeps its files for others too: copy it instead.`,
      { file: links[0] },
    )
}
