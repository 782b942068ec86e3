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

/** An image to decode: a file, or bytes that came out of one. */
export interface ImageTask {
  /** File, and the row in it where it holds several images. */
  file: string
  row?: number | undefined
  /** What a row holds; null where it holds no image. */
  bytes?: Uint8Array | null | undefined
}

export type FittedImage =
  /**
   * Pixels [height, width, 3] of an image in the size of the model, `fingerprintBytes` by which equal ones are known, and how
   * many images its file holds.
   */
  | { data: Uint8Array; fingerprint: Uint8Array; frames: number }
  /** What is wrong with the image. */
  | { problem: string }
  /** What went wrong through no fault of the image. */
  | { failure: string }

/** Two of a billion different images have the same ones with a probability of about one in forty. */
export const fingerprintBytes = 8

/** Decodes an image and fits it to the model. */
export async function fittedImage(task: ImageTask, options: FitOptions): Promise<FittedImage> {
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

/** Where an image stands in a file of several. */
export const placeOf = ({ row }: Pick<ImageTask, 'row'>) => (row === undefined ? undefined : `row ${row}`)

/** The bytes of an image that is no file of its own. @throws SecateurError where its row holds none */
export function packedIn(task: ImageTask): PackedImage | undefined {
  const { file, bytes } = task
  const place = placeOf(task)
  if (bytes === null) throw badFile(file, place, 'holds no image (null, or a path without bytes)')
  return bytes && { bytes, place }
}

/** An image in the size of the model. @throws SecateurError where its preprocessing leaves it in another one */
export function fittedTo({ preprocessing, height, width }: FitOptions, image: Pixels, task: ImageTask): Pixels {
  const sized = fitted(image, preprocessing)
  if (sized.width === width && sized.height === height) return sized
  const size = `is ${sized.width} x ${sized.height} pixels, and the model takes ${width} x ${height}`
  throw badFile(task.file, placeOf(task), `${size}: ${preprocessing.source ?? 'its preprocessing'} does not resize`)
}
