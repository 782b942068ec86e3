import { existsSync, readdirSync } from 'node:fs'
import { dirname, join, sep } from 'node:path'
import {
  type ChoicePredictions,
  type ImagePredictions,
  mostPredictionBytes,
  mostPredictions,
  type Predictions,
  predictionsSchema,
  type ScoredCheckpoint,
} from '../contract/index.ts'
import type { LabelledImage } from '../data/images/labelled-images.ts'
import type { ClassifierPredictions } from '../evaluation/tally.ts'
import type { ScoredRow } from '../evaluation/task-score.ts'
import { readJson, writeFileAtomically } from '../shared/files.ts'
import { runFiles } from './run-files.ts'

/** Where the predictions of a task lie. */
export const predictionsFileOf = (run: string, which: ScoredCheckpoint, task: string): string =>
  join(run, runFiles.predictions, `${which}.${task}.json`)

/** What is kept of log-likelihoods is shown, not computed with; JSON has no infinity. */
const rounded = (values: readonly number[]): number[] =>
  values.map((value) => Math.max(-1e6, Math.round(value * 1e4) / 1e4))

/**
 * Keeps the predictions of a task in the run folder, as many as the file may hold.
 *
 * @returns a warning where some are left out, null otherwise
 */
export function keepPredictions(run: string, which: ScoredCheckpoint, found: Predictions): string | null {
  const task = found.kind === 'images' ? 'images' : found.task
  writeFileAtomically(predictionsFileOf(run, which, task), `${JSON.stringify(found)}\n`)
  const kept = found.kind === 'images' ? found.labels.length : found.rows.length
  return kept < found.n ? `of ${found.n} predictions (${task}), the first ${kept} are kept in the run folder` : null
}

/**
 * The predictions of images that a run kept; null where there are none.
 *
 * @throws SecateurError where the file is damaged
 */
export const readImagePredictions = (run: string, which: ScoredCheckpoint): ImagePredictions | null =>
  readOfKind('images', predictionsFileOf(run, which, 'images'))

/**
 * All predictions that a run kept of one checkpoint, task by task.
 *
 * @throws SecateurError where a file is damaged
 */
export function* readAllPredictions(run: string, which: ScoredCheckpoint): Generator<Predictions> {
  const folder = join(run, runFiles.predictions)
  for (const name of existsSync(folder) ? readdirSync(folder) : [])
    if (name.startsWith(`${which}.`) && name.endsWith('.json')) yield readIn(join(folder, name))
}

/**
 * The predictions of a text task that a run kept; null where there are none.
 *
 * @throws SecateurError where the file is damaged
 */
export const readChoicePredictions = (run: string, which: ScoredCheckpoint, task: string): ChoicePredictions | null =>
  readOfKind('choices', predictionsFileOf(run, which, task))

type OfKind<Kind extends Predictions['kind']> = Extract<Predictions, { kind: Kind }>

function readOfKind<Kind extends Predictions['kind']>(kind: Kind, file: string): OfKind<Kind> | null {
  const found = existsSync(file) ? readIn(file) : null
  return found?.kind === kind ? (found as OfKind<Kind>) : null
}

const readIn = (file: string): Predictions => readJson(file, predictionsSchema, { maxBytes: mostPredictionBytes })

/** What is kept of images. */
export function keptOfImages({ classes, images, ...found }: ClassifierPredictions): ImagePredictions {
  const kept = countThatFits(images)
  const first = <T>(values: readonly T[]): T[] => values.slice(0, kept)
  return {
    version: 1,
    kind: 'images',
    n: images.length,
    classes: [...classes],
    ...placesOf(first(images)),
    labels: first(found.labels),
    predicted: first(found.predicted),
    ranks: first(found.ranks),
    logLikelihoods: {
      label: rounded(first(found.logLikelihoods.label)),
      predicted: rounded(first(found.logLikelihoods.predicted)),
    },
  }
}

/** What is kept of rows, in file order. */
export function keptOfRows(task: string, rows: readonly ScoredRow[]): ChoicePredictions {
  const kept = rows.slice(0, mostPredictions)
  const norm = kept.flatMap(({ predNorm }) => (predNorm === null ? [] : [predNorm]))
  return {
    version: 1,
    kind: 'choices',
    n: rows.length,
    task,
    rows: kept.map(({ index }) => index),
    gold: kept.map(({ gold }) => gold),
    predicted: kept.map(({ pred }) => pred),
    ...(norm.length === kept.length && { predictedNorm: norm }),
    logLikelihoods: kept.map(({ logLikelihoods }) => rounded(logLikelihoods)),
  }
}

/** How many of the first images fit in a file, by their number and by the length of their names. */
function countThatFits(images: readonly LabelledImage[]): number {
  let room = mostPredictionBytes / 2
  let kept = 0
  for (const { file, row } of images) {
    if (row === undefined) room -= Buffer.byteLength(file)
    if (kept === mostPredictions || room < 0) break
    kept++
  }
  return kept
}

/** The folder that all images lie in, and what they are called there. */
function placesOf(images: readonly LabelledImage[]): Pick<ImagePredictions, 'folder' | 'files' | 'packed'> {
  const isPacked = images.some(({ row }) => row !== undefined)
  const all = images.map(({ file }) => file)
  const files = isPacked ? [...new Set(all)] : all
  const folder = commonFolder(files)
  const within = files.map((file) =>
    file
      .slice(folder.length)
      .replace(/^[/\\]/, '')
      .split(sep)
      .join('/'),
  )
  if (!isPacked) return { folder, files: within }
  const numbers = new Map(files.map((file, number) => [file, number]))
  const file = all.map((name) => numbers.get(name)!)
  return { folder, files: within, packed: { file, row: images.map(({ row = 0 }) => row) } }
}

/** The deepest folder that all files lie in. */
function commonFolder(files: readonly string[]): string {
  let folder = dirname(files[0]!)
  const holds = (file: string) => file.startsWith(folder.endsWith(sep) ? folder : `${folder}${sep}`)
  for (const file of files) while (!holds(file) && dirname(folder) !== folder) folder = dirname(folder)
  return folder
}
