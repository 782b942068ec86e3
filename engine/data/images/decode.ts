import { stat } from 'node:fs/promises'
import sharp, { type Sharp, type SharpOptions } from 'sharp'
import { badFile, SecateurError } from '../../shared/errors.ts'
import { explained } from '../../shared/system-errors.ts'
import type { Pixels } from './resample.ts'

/** Larger files, and images of more pixels, are refused before memory is taken for them. */
const mostImageBytes = 256 * 2 ** 20
const mostPixels = 2 ** 28

sharp.cache(false)
sharp.concurrency(1)
// Files are read by what they hold, not by their names: only what the names promise may be in them, and no SVG or PDF.
sharp.block({ operation: ['VipsForeignLoad'] })
sharp.unblock({
  operation: ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Tiff', 'Heif'].flatMap((format) =>
    ['File', 'Buffer'].map((source) => `VipsForeignLoad${format}${source}`),
  ),
})

/** A picture that is no file of its own. */
export interface PackedImage {
  bytes: Uint8Array
  /** Where it stands in its file. */
  place: string | undefined
}

/** An image that is about to be decoded. @throws SecateurError where its file is too large */
export async function openImage(file: string, options: SharpOptions = {}, packed?: PackedImage): Promise<Sharp> {
  const size = packed ? packed.bytes.length : (await stat(file)).size
  if (size > mostImageBytes)
    throw badFile(file, packed?.place, `has ${size} bytes; images of ${mostImageBytes} at most are read`)
  return sharp(packed?.bytes ?? file, { limitInputPixels: mostPixels, sequentialRead: true, ...options })
}

/**
 * An image of a file, or packed in it, upright, in red, green and blue of 8 bits: the first one where a file has several, what is seen through is dropped
 * as Pillow does, and grey becomes three colours.
 *
 * @throws SecateurError that names the file and says what is wrong with it
 */
export async function decodeImage(file: string, packed?: PackedImage): Promise<Pixels> {
  try {
    const image = await openImage(file, { failOn: 'error' }, packed)
    const { data, info } = await image
      .autoOrient()
      .toColourspace('srgb')
      .removeAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true })
    const pixels = new Uint8Array(data.buffer, data.byteOffset, data.length)
    return { data: inColours(pixels, info.channels), width: info.width, height: info.height, colours: 3 }
  } catch (error) {
    throw damaged(file, error, packed?.place)
  }
}

/** Three colours of an image that has so many. */
function inColours(pixels: Uint8Array, channels: number): Uint8Array {
  if (channels === 3) return pixels
  if (channels !== 1) throw new Error(`it has ${channels} colours`)
  const result = new Uint8Array(3 * pixels.length)
  for (const [i, value] of pixels.entries()) result.fill(value, 3 * i, 3 * i + 3)
  return result
}

/** What is wrong with an image, in one sentence that names its file, and its place in it. */
export function damaged(file: string, error: unknown, place?: string): unknown {
  if (error instanceof SecateurError) return error
  const known = explained(file, error)
  if (known !== error || !(error instanceof Error)) return known
  const text = error.message.replaceAll(/\s+/g, ' ').trim()
  if (/exceeds pixel limit/.test(text))
    return badFile(file, place, `has more than ${mostPixels} pixels, which is refused before memory is taken`)
  return badFile(file, place, `cannot be read as an image: ${text}`)
}
