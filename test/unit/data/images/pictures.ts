import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import sharp from 'sharp'

export const scratch = (): string => mkdtempSync(join(tmpdir(), 'pictures-'))

/** Writes a picture of one colour, or of the bytes that are given. */
export async function picture(
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
