import type { Pixels } from './resample.ts'

/** Bits of a pixel that are read, and where its colours lie in the usual ones; rows are padded to four bytes. */
const depths = [8, 24, 32]

/** Whether bytes begin as a BMP file does. */
export const isBmp = (bytes: Uint8Array): boolean => bytes.length > 1 && bytes[0] === 0x42 && bytes[1] === 0x4d

/**
 * An uncompressed BMP file with 8 (palette), 24 or 32 bits a pixel: the decoder of the other formats has none for it
 * (layout of BITMAPINFOHEADER in the documentation of Windows GDI).
 *
 * @param mostPixels more are refused before memory is taken for them
 * @throws RangeError that says what is wrong
 */
export function decodeBmp(bytes: Uint8Array, mostPixels: number): Pixels {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const need = (end: number) => {
    if (end > bytes.length) throw new RangeError(`the BMP ends after ${bytes.length} bytes of ${end}`)
  }
  need(54)
  const header = view.getUint32(14, true)
  if (header < 40) throw new RangeError(`a BMP header of ${header} bytes is not supported`)
  const [start, width, signedHeight] = [view.getUint32(10, true), view.getInt32(18, true), view.getInt32(22, true)]
  const [bits, compression, told] = [view.getUint16(28, true), view.getUint32(30, true), view.getUint32(46, true)]
  const height = Math.abs(signedHeight)
  if (width < 1 || height < 1) throw new RangeError(`the BMP has ${width} x ${height} pixels`)
  if (width * height > mostPixels) throw new RangeError(`the BMP exceeds pixel limit: ${width} x ${height}`)
  // 3 says that masks follow; those of 32 bits are blue, green, red and alpha in all that is met with.
  if (!depths.includes(bits) || !(compression === 0 || (compression === 3 && bits === 32)))
    throw new RangeError(`a BMP of ${bits} bits and compression ${compression} is not supported: save it as PNG`)
  const palette = 14 + header
  const entries = bits === 8 ? Math.min(256, told || 256) : 0
  const stride = 4 * Math.ceil((width * bits) / 32)
  need(palette + 4 * entries)
  need(start + stride * height)
  const data = new Uint8Array(width * height * 3)
  const step = bits / 8
  for (let row = 0; row < height; row++) {
    const line = start + stride * (signedHeight > 0 ? height - 1 - row : row)
    for (let column = 0; column < width; column++) {
      const at = line + column * step
      const from = bits === 8 ? palette + 4 * Math.min(bytes[at]!, entries - 1) : at
      const to = (row * width + column) * 3
      for (let colour = 0; colour < 3; colour++) data[to + colour] = bytes[from + 2 - colour]!
    }
  }
  return { data, width, height, colours: 3 }
}
