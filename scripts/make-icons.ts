// npm run make-icons: renders resources/icons/icon.svg to the formats that the packages want.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'

const folder = join(import.meta.dirname, '../resources/icons')
const svg = readFileSync(join(folder, 'icon.svg'))
const png = (size: number) =>
  sharp(svg, { density: (72 * size) / 512 })
    .resize(size, size)
    .png({ compressionLevel: 9 })
    .toBuffer()

for (const size of [16, 32, 48, 64, 128, 256, 512]) writeFileSync(join(folder, `${size}x${size}.png`), await png(size))
writeFileSync(join(folder, 'icon.ico'), await ico([16, 24, 32, 48, 64, 128, 256]))
writeFileSync(join(folder, 'icon.icns'), await icns())

/** Windows: a directory of entries of 16 bytes, then the PNGs. 256 is written as 0. */
async function ico(sizes: readonly number[]): Promise<Buffer> {
  const images = await Promise.all(sizes.map(png))
  const header = Buffer.alloc(6 + 16 * sizes.length)
  header.writeUInt16LE(1, 2)
  header.writeUInt16LE(sizes.length, 4)
  let offset = header.length
  for (const [index, image] of images.entries()) {
    const at = 6 + 16 * index
    header.writeUInt8(sizes[index]! % 256, at)
    header.writeUInt8(sizes[index]! % 256, at + 1)
    header.writeUInt16LE(1, at + 4)
    header.writeUInt16LE(32, at + 6)
    header.writeUInt32LE(image.length, at + 8)
    header.writeUInt32LE(offset, at + 12)
    offset += image.length
  }
  return Buffer.concat([header, ...images])
}

/** macOS: a type of four letters for each size, the length with its header, the PNG. */
async function icns(): Promise<Buffer> {
  const types = { ic11: 32, ic12: 64, ic07: 128, ic13: 256, ic08: 256, ic14: 512, ic09: 512, ic10: 1024 }
  const parts: Buffer[] = []
  for (const [type, size] of Object.entries(types)) {
    const image = await png(size)
    parts.push(chunk(type, image.length), image)
  }
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  return Buffer.concat([chunk('icns', length), ...parts])
}

function chunk(type: string, length: number): Buffer {
  const header = Buffer.alloc(8)
  header.write(type, 'latin1')
  header.writeUInt32BE(length + 8, 4)
  return header
}
