import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

/** A folder that is removed when the test ends. */
export function temporaryFolder(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'secateur-'))
  context.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** The bytes of a safetensors file, built by hand so that every part of it can be wrong. */
export function safetensorsBytes(header: unknown, dataBytes: number, claimedLength?: number | bigint): Buffer {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(claimedLength ?? text.length))
  return Buffer.concat([length, text, Buffer.alloc(dataBytes)])
}

export function writeRaw(folder: string, header: unknown, dataBytes: number, claimedLength?: number | bigint): string {
  const path = join(folder, 'raw.safetensors')
  writeFileSync(path, safetensorsBytes(header, dataBytes, claimedLength))
  return path
}
