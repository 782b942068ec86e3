import { createHash } from 'node:crypto'
import { badFile, SecateurError } from '../../shared/errors.ts'
import { decodeImage, type PackedImage } from './decode.ts'
import { fitted, type Preprocessing } from './preprocessing.ts'
import type { Pixels } from './resample.ts'

export interface FitOptions {
  preprocessing: Preprocessing
  height: number
  width: number
}

/** A picture to decode: a file, or bytes that came out of one. */
export interface PictureTask {
  /** File, and the row in it where it holds several pictures. */
  file: string
  row?: number | undefined
  /** What a row holds; null where it holds no picture. */
  bytes?: Uint8Array | null | undefined
}

export type FittedPicture =
  /**
   * Pixels [height, width, 3] of a picture in the size of the model, `fingerprintBytes` by which equal ones are known, and how
   * many pictures its file holds.
   */
  | { data: Uint8Array; fingerprint: Uint8Array; frames: number }
  /** What is wrong with the picture. */
  | { problem: string }
  /** What went wrong through no fault of the picture. */
  | { failure: string }

/** Two of a billion different pictures have the same ones with a probability of about one in forty. */
export const fingerprintBytes = 8

/** Decodes a picture and fits it to the model. */
export async function fittedPicture(task: PictureTask, options: FitOptions): Promise<FittedPicture> {
  try {
    const { frames, ...image } = await decodeImage(task.file, packedIn(task))
    const { data } = fittedTo(options, image, task)
    const digest = createHash('sha256').update(data).digest()
    return { data, fingerprint: Uint8Array.from(digest.subarray(0, fingerprintBytes)), frames }
  } catch (error) {
    if (error instanceof SecateurError) return { problem: error.message }
    return { failure: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}

/** Where a picture stands in a file of several. */
export const placeOf = ({ row }: Pick<PictureTask, 'row'>) => (row === undefined ? undefined : `row ${row}`)

/** The bytes of a picture that is no file of its own. @throws SecateurError where its row holds none */
export function packedIn(task: PictureTask): PackedImage | undefined {
  const { file, bytes } = task
  const place = placeOf(task)
  if (bytes === null) throw badFile(file, place, 'holds no picture (null, or a path without bytes)')
  return bytes && { bytes, place }
}

/** A picture in the size of the model. @throws SecateurError where its preprocessing leaves it in another one */
export function fittedTo({ preprocessing, height, width }: FitOptions, image: Pixels, task: PictureTask): Pixels {
  const picture = fitted(image, preprocessing)
  if (picture.width === width && picture.height === height) return picture
  const size = `is ${picture.width} x ${picture.height} pixels, and the model takes ${width} x ${height}`
  throw badFile(task.file, placeOf(task), `${size}: ${preprocessing.source ?? 'its preprocessing'} does not resize`)
}
