import { badFile, SecateurError } from '../../shared/errors.ts'
import { decodeImage } from './decode.ts'
import { fitted, type Preprocessing } from './preprocessing.ts'

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

/** Pixels [height, width, 3] of a picture in the size of the model, or what is wrong with it; the rest is no fault of the picture. */
export type FittedPicture = { data: Uint8Array } | { problem: string } | { failure: string }

/** Decodes a picture and fits it to the model. */
export async function fittedPicture(
  { file, row, bytes }: PictureTask,
  { preprocessing, height, width }: FitOptions,
): Promise<FittedPicture> {
  const place = row === undefined ? undefined : `row ${row}`
  try {
    if (bytes === null) throw badFile(file, place, 'holds no picture (null, or a path without bytes)')
    const picture = fitted(await decodeImage(file, bytes && { bytes, place }), preprocessing)
    if (picture.width === width && picture.height === height) return { data: picture.data }
    const size = `is ${picture.width} x ${picture.height} pixels, and the model takes ${width} x ${height}`
    throw badFile(file, place, `${size}: ${preprocessing.source ?? 'its preprocessing'} does not resize`)
  } catch (error) {
    if (error instanceof SecateurError) return { problem: error.message }
    return { failure: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}
