import { readFile, stat } from 'node:fs/promises'
import type { Sharp, SharpOptions } from 'sharp'
import { badFile, SecateurError } from '../../shared/errors.ts'
import { explained } from '../../shared/system-errors.ts'
import { decodeBmp, isBmp } from './bmp.ts'
import type { Pixels } from './resample.ts'

/** Larger files, and images of more pixels, are refused before memory is taken for them; pixels as Pillow warns of them. */
const mostImageBytes = 256 * 2 ** 20
const mostPixels = 89_478_485

type Decoder = (typeof import('sharp'))['default']
let decoder: Promise<Decoder> | undefined

/**
 * Files are read by what they hold, not by their names. What the names of images do not promise stays closed, whatever a file
 * is called: every reader of libvips but those of JPEG, PNG, WebP, GIF, TIFF and HEIF.
 */
const unreadFormats =
  'Analyze Csv Dcraw Fits Jp2k Jxl Magick Magick7 Mat Matrix Nifti OpenExr Openslide Pdf Ppm Rad Raw Svg Uhdr Vips'

/** The package that decodes, loaded with the first image: most processes never see one. */
const loadDecoder = () => (decoder ??= prepareDecoder())

async function prepareDecoder(): Promise<Decoder> {
  const { default: sharp } = await import('sharp')
  sharp.cache(false)
  sharp.concurrency(1)
  // Only ever closes, and never a format that is read: this holds for the whole process, and each thread does it.
  sharp.block({ operation: unreadFormats.split(' ').map((format) => `VipsForeignLoad${format}`) })
  return sharp
}

/** An image that is no file of its own. */
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
  const bmp = await bmpIn(file, packed)
  const sharp = await loadDecoder()
  if (bmp) {
    const { data, width, height, colours } = decodeBmp(bmp, mostPixels)
    return sharp(data, { raw: { width, height, channels: colours as 3 } })
  }
  return sharp(packed?.bytes ?? file, { limitInputPixels: mostPixels, sequentialRead: true, ...options })
}

/** The bytes of an image that is a BMP file. */
async function bmpIn(file: string, packed: PackedImage | undefined): Promise<Uint8Array | null> {
  if (!packed && !/\.(bmp|dib)$/i.test(file)) return null
  const bytes = packed?.bytes ?? (await readFile(file))
  return isBmp(bytes) ? bytes : null
}

/** An image in its own size. */
export interface DecodedImage extends Pixels {
  /** How many its file holds: an animation has several, and the first one is taken. */
  frames: number
}

/**
 * An image of a file, or packed in it, upright, in red, green and blue of 8 bits: the first one where a file has several, what
 * is seen through is dropped as Pillow does, and grey becomes three colours.
 *
 * @throws SecateurError that names the file and says what is wrong with it
 */
export async function decodeImage(file: string, packed?: PackedImage): Promise<DecodedImage> {
  try {
    const image = await openImage(file, { failOn: 'error' }, packed)
    const { pages: frames = 1 } = await image.metadata()
    const { data, info } = await image
      .autoOrient()
      .toColourspace('srgb')
      .removeAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true })
    const pixels = new Uint8Array(data.buffer, data.byteOffset, data.length)
    return { data: inColours(pixels, info.channels), width: info.width, height: info.height, colours: 3, frames }
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
