import { badFile } from '../shared/errors.ts'
import { contentHint, hintBytes } from '../shared/file-content.ts'
import { explained } from '../shared/system-errors.ts'
import type { StoredTensor } from '../tensor/stored-tensor.ts'
import { PlacedFile } from './placed-file.ts'
import { lengthBytes, maxHeaderBytes, parseHeader, type TensorEntry, weightTypeOf } from './safetensors-header.ts'

/** A safetensors file whose header has been read and checked. Weights are read by range, when asked for. */
export class SafetensorsFile {
  readonly path: string
  /** Bytes of the whole file. */
  readonly bytes: number
  readonly tensors: ReadonlyMap<string, TensorEntry>
  readonly metadata: Readonly<Record<string, string>>
  readonly #file: PlacedFile

  /** Opens a file and checks its header (see `parseHeader`); reads no weights. Errors name the file and the tensor. */
  constructor(path: string) {
    this.path = path
    this.#file = PlacedFile.open(path)
    try {
      this.bytes = this.#file.size
      const { tensors, metadata } = parseHeader(path, this.#headerText(), this.bytes)
      this.tensors = tensors
      this.metadata = metadata
    } catch (error) {
      this.close()
      throw explained(path, error)
    }
  }

  #headerText(): string {
    if (this.bytes < lengthBytes) {
      throw badFile(this.path, 'header', `has ${this.bytes} bytes, too few for a safetensors file`)
    }
    const length = Number(this.#bytesAt(0, lengthBytes).readBigUInt64LE())
    if (length > this.bytes - lengthBytes) {
      const other = contentHint(this.#bytesAt(0, Math.min(hintBytes, this.bytes)))
      if (other !== null) throw badFile(this.path, undefined, other)
      throw badFile(
        this.path,
        'header',
        `claims ${length} bytes in a file of ${this.bytes}. The file is truncated or no safetensors file`,
      )
    }
    if (length > maxHeaderBytes) {
      throw badFile(this.path, 'header', `has ${length} bytes; ${maxHeaderBytes} are allowed`)
    }
    const header = this.#bytesAt(lengthBytes, length)
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(header)
    } catch (error) {
      throw badFile(this.path, 'header', 'is not UTF-8 text', error)
    }
  }

  #bytesAt(position: number, length: number): Buffer<ArrayBuffer> {
    const target = Buffer.allocUnsafeSlow(length)
    this.#file.readAt(target, position)
    return target
  }

  #weight(name: string) {
    const entry = this.tensors.get(name)
    if (!entry) throw badFile(this.path, name, 'is not in the file')
    const dtype = weightTypeOf(entry.dtype)
    if (!dtype) throw badFile(this.path, name, `is ${entry.dtype}; weights are read as F32, F16 or BF16`)
    return { entry, dtype }
  }

  /** Reads a weight whole, into memory of its own that starts on a multiple of 8 bytes. */
  read(name: string): StoredTensor {
    const { entry, dtype } = this.#weight(name)
    const bytes = this.#bytesAt(entry.begin, entry.end - entry.begin)
    return { name, dtype, shape: [...entry.shape], bytes: new Uint8Array(bytes.buffer, 0, bytes.length) }
  }

  /**
   * Reads rows [first, first + count) of a weight (rows of its first axis) into `target`, which must have exactly their
   * size in bytes.
   */
  readRows(name: string, first: number, count: number, target: Uint8Array): void {
    const { entry } = this.#weight(name)
    const rows = entry.shape[0] ?? 1
    if (!(first >= 0 && count >= 0 && first + count <= rows)) {
      throw new RangeError(`${name} has ${rows} rows; rows ${first} to ${first + count} were asked for`)
    }
    const rowBytes = rows === 0 ? 0 : (entry.end - entry.begin) / rows
    if (target.length !== count * rowBytes) {
      throw new RangeError(`${count} rows of ${name} have ${count * rowBytes} bytes; the target has ${target.length}`)
    }
    this.#file.readAt(target, entry.begin + first * rowBytes)
  }

  close(): void {
    this.#file.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
