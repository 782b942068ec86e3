import { replaceFile } from '../shared/files.ts'
import type { StoredTensor } from '../tensor/stored-tensor.ts'
import { PlacedFile } from './placed-file.ts'
import { layOut, type PlannedTensor } from './safetensors-header.ts'

/** What transformers asks for in a file that it loads. */
const defaultMetadata = { format: 'pt' }

/**
 * Writes a safetensors file one tensor at a time, in any order: names, types and shapes are planned first, so the header
 * is written at once and no tensor has to be kept.
 */
export class SafetensorsWriter {
  readonly path: string
  /** Bytes that the whole file will have. */
  readonly bytes: number
  readonly #file: PlacedFile
  readonly #missing: Map<string, PlannedTensor & { begin: number; end: number }>

  constructor(
    path: string,
    planned: readonly PlannedTensor[],
    metadata: Readonly<Record<string, string>> = defaultMetadata,
  ) {
    const { header, entries, bytes } = layOut(planned, metadata)
    this.path = path
    this.bytes = bytes
    this.#missing = entries
    this.#file = PlacedFile.create(path)
    try {
      this.#file.resize(bytes)
      this.#file.writeAt(header, 0)
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** Writes a planned tensor. Throws where it was not planned, has been written, or differs from the plan. */
  write({ name, dtype, shape, bytes }: StoredTensor): void {
    const entry = this.#missing.get(name)
    if (!entry) throw new Error(`${this.path}: tensor ${name} was not planned or has been written`)
    const planned = `${entry.dtype} [${entry.shape}], ${entry.end - entry.begin} bytes`
    const given = `${dtype} [${shape}], ${bytes.length} bytes`
    if (given !== planned) throw new Error(`${this.path}: tensor ${name} was planned as ${planned}; it is ${given}`)
    this.#file.writeAt(bytes, entry.begin)
    this.#missing.delete(name)
  }

  /** Names that were planned and not yet written. */
  get missing(): string[] {
    return [...this.#missing.keys()]
  }

  /** Closes the file. Throws where a planned tensor is missing. */
  finish(): void {
    this.close()
    if (this.#missing.size > 0) throw new Error(`${this.path}: tensors were not written: ${this.missing.join(', ')}`)
  }

  close(): void {
    this.#file.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** Writes a safetensors file of tensors that are in memory already, atomically. */
export function writeSafetensors(
  path: string,
  tensors: readonly StoredTensor[],
  metadata?: Readonly<Record<string, string>>,
): void {
  replaceFile(path, (temporary) => {
    using writer = new SafetensorsWriter(temporary, tensors, metadata)
    for (const tensor of tensors) writer.write(tensor)
    writer.finish()
  })
}
