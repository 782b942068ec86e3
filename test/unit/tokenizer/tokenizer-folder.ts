import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after } from 'node:test'

/** Path of a shared data file. */
export const shared = (name: string) => resolve(import.meta.dirname, '../../../../shared/data', name)

/** Options of a test that needs shared data: skipped, with the reason, where the data is missing. */
export const needs = (...names: string[]) => {
  const missing = names.find((name) => !existsSync(shared(name)))
  return missing === undefined ? {} : { skip: `../shared/data/${missing} is missing` }
}

/** A folder with these files (bytes, text, or an object to write as JSON), removed when the tests are done. */
export function tokenizerFolder(files: Record<string, Uint8Array | string | object>): string {
  const folder = mkdtempSync(join(tmpdir(), 'secateur-tokenizer-'))
  after(() => rmSync(folder, { recursive: true, force: true }))
  for (const [name, content] of Object.entries(files)) {
    const isData = typeof content === 'string' || content instanceof Uint8Array
    writeFileSync(join(folder, name), isData ? content : JSON.stringify(content))
  }
  return folder
}

/** A folder that holds nothing but a shared SentencePiece model. */
export function sentencePieceFolder(model: string): string {
  const folder = tokenizerFolder({})
  copyFileSync(shared(model), join(folder, 'tokenizer.model'))
  return folder
}

const isPrintable = (value: number) => (value >= 33 && value <= 126) || (value >= 161 && value <= 172) || value >= 174
/** GPT-2's printable stand-ins for bytes, in the order of the bytes. */
export const byteCharacters = Array.from({ length: 256 }, (_, byte) => byte).map((byte, _, all) => {
  const hiddenBefore = all.slice(0, byte).filter((value) => !isPrintable(value)).length
  return String.fromCodePoint(isPrintable(byte) ? byte : 256 + hiddenBefore)
})
