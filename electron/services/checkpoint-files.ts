import { existsSync } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { cardBeside, type ImageFacts, type Inspection, inspectionSchema } from '../../engine/contract/index.ts'
import { modelName } from '../../engine/shared/model-name.ts'
import type { WorkControl } from '../../engine/shared/work-control.ts'
import type { CheckpointRow } from '../database/checkpoints.ts'
import { isThere } from './drives.ts'
import { copyFolder } from './files.ts'
import { parsedOnce } from './parsed-once.ts'

/** What the engine said of a checkpoint when it was last inspected. */
export const inspectionOf = ({ inspection }: Pick<CheckpointRow, 'inspection'>): Inspection =>
  readInspection(inspection)
const readInspection = parsedOnce(inspectionSchema)

/** What kind of files a checkpoint has. */
export const formatOf = (inspection: Inspection): 'safetensors' | 'gguf' | 'onnx' =>
  inspection.kind === 'checkpoint' ? inspection.format : 'safetensors'

/** What a model of images looks at; null of other models, and of adapters. */
export const imageFactsOf = (inspection: Inspection): ImageFacts | null =>
  inspection.kind === 'checkpoint' ? inspection.images : null

const isGguf = (inspection: Inspection): boolean => inspection.kind === 'checkpoint' && inspection.format === 'gguf'

/** The folder in which a checkpoint's files are: its own, or that of its GGUF file, where others may lie too. */
export const folderOf = (inspection: Inspection, path: string): string => (isGguf(inspection) ? dirname(path) : path)

/** What is to be removed with a checkpoint: its folder, or the parts of a GGUF file, with the folder that was made for them. */
export function ownPaths({
  path,
  storage,
  inspection,
}: Pick<CheckpointRow, 'path' | 'storage' | 'inspection'>): string[] {
  const known = readInspection(inspection)
  if (!isGguf(known)) return [path]
  if (storage === 'copied') return [dirname(path)]
  const parts = known.files.map(({ name }) => join(dirname(path), name))
  return storage === 'run-output' ? [...parts, ...writtenCard(path)] : parts
}

/** The model card that an export wrote beside its GGUF file. */
export const writtenCard = (path: string): string[] =>
  /\.gguf$/i.test(path) ? [cardBeside(path)].filter((card) => existsSync(card)) : []

/** Copies a checkpoint to a new folder: its own folder, or the parts of its GGUF file. */
export const copyCheckpoint = (inspection: Inspection, path: string, to: string, control: WorkControl): Promise<void> =>
  copyFolder(folderOf(inspection, path), to, control, isGguf(inspection) ? inspection.files : undefined)

/** The type of most weights: of quantised ones that of the file. */
export function dtypeOf(inspection: Inspection): string {
  if (inspection.kind === 'adapter') return 'float32'
  const types = Object.entries(inspection.quantisation?.types ?? {})
  return types.toSorted(([, one], [, other]) => other - one)[0]?.[0] ?? inspection.dtype
}

/** The kind of tokenizer that a checkpoint has; null where it has none that can be read. */
export function tokenizerOf(inspection: Inspection): string | null {
  if (inspection.kind === 'adapter' || inspection.tokenizer === null) return null
  return 'kind' in inspection.tokenizer ? inspection.tokenizer.kind : null
}

/** Whether the files are those that were seen before, by name and size, and by time unless it was a copy. */
export function sameFiles(before: string, now: Inspection, times = true): boolean {
  const earlier = inspectionSchema.safeParse(JSON.parse(before))
  const list = ({ files }: Inspection) =>
    files.map(({ name, bytes, modifiedMs }) => `${name} ${bytes} ${times ? modifiedMs : ''}`).sort()
  return earlier.success && list(earlier.data).join('\n') === list(now).join('\n')
}

/**
 * Whether the files of a checkpoint are as they were when it was last inspected.
 *
 * @param isAway whether the drive that it was on is not here
 */
export async function statusOf(row: CheckpointRow, isAway: boolean): Promise<CheckpointRow['status']> {
  // Each file of a drive that does not answer would be waited for.
  if (isAway && !(await isThere(row.path))) return 'away'
  const inspection = inspectionOf(row)
  const { files } = inspection
  const folder = folderOf(inspection, row.path)
  const states = await Promise.all(
    files.map(async ({ name, bytes, modifiedMs }) => {
      try {
        const now = await stat(join(folder, name))
        return now.size === bytes && Math.abs(now.mtimeMs - modifiedMs) < 2 ? 'present' : 'changed'
      } catch {
        return 'missing'
      }
    }),
  )
  if (states.every((state) => state === 'missing')) return isAway ? 'away' : 'missing'
  return states.every((state) => state === 'present') ? 'present' : 'changed'
}

/** A path without links, but for the file itself: in the Hub's cache a link has its name, and its parts beside it. */
export async function placeOf(path: string): Promise<string> {
  const given = resolve(path)
  const isFile = (await stat(given).catch(() => null))?.isFile() ?? false
  return isFile ? join(await realpath(dirname(given)), basename(given)) : await realpath(given)
}

/** Whether a checkpoint is called after its folder; earlier versions called what runs wrote "output". */
export const isNameOfPlace = (name: string, path: string): boolean =>
  name === modelName(path) || name === basename(path)
