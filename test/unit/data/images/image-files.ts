import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { crc32, deflateSync } from 'node:zlib'
import sharp from 'sharp'

/** A folder that goes when the process of the tests ends: some tests go on with those of others. */
export function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'images-'))
  if (folders.push(folder) === 1)
    process.once('exit', () => folders.forEach((path) => rmSync(path, { recursive: true, force: true })))
  return folder
}
const folders: string[] = []

/** Writes an image of one colour, or of the bytes that are given. */
export async function writeImage(
  file: string,
  { width = 20, height = 15, colour = [200, 100, 50] }: { width?: number; height?: number; colour?: number[] } = {},
): Promise<string> {
  mkdirSync(dirname(file), { recursive: true })
  const [r, g, b] = colour as [number, number, number]
  await sharp({ create: { width, height, channels: 3, background: { r, g, b } } }).toFile(file)
  return file
}

export function text(file: string, lines: readonly string[]): string {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `${lines.join('\n')}\n`)
  return file
}

const chunk = (type: string, data: Buffer) => {
  const body = Buffer.concat([Buffer.from(type), data])
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(data.length)
  sum.writeUInt32BE(crc32(body))
  return Buffer.concat([length, body, sum])
}

/** A grey PNG file that announces any size, with few bytes in it. */
export function png(width: number, height: number): Buffer {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header[8] = 8
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', deflateSync(Buffer.alloc(100)))])
}

const padded = (row: number[]) => [...row, ...Array.from({ length: (4 - (row.length % 4)) % 4 }, () => 0)]

/** A BMP file of two rows, the lower one first: blue and green over red and white. */
export function bmp(bits: 8 | 24 | 32): Buffer {
  const colours = [[0, 0, 255], [255, 255, 255], [255, 0, 0], [0, 255, 0]] // oxfmt-ignore
  const palette = bits === 8 ? colours.flatMap((colour) => [...colour, 0]) : []
  const cells = (first: number) =>
    [first, first + 1].flatMap((i) => (bits === 8 ? [i] : [...colours[i]!, ...(bits === 32 ? [255] : [])]))
  const header = Buffer.alloc(54)
  header.write('BM')
  header.writeUInt32LE(54 + palette.length, 10)
  header.writeUInt32LE(40, 14)
  header.writeInt32LE(2, 18)
  header.writeInt32LE(2, 22)
  header.writeUInt16LE(bits, 28)
  header.writeUInt32LE(palette.length / 4, 46)
  return Buffer.concat([header, Buffer.from([...palette, ...padded(cells(0)), ...padded(cells(2))])])
}
