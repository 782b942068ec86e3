import { toFloat32 } from '../checkpoint/dtype.ts'
import { dequantise, dequantisedType } from '../checkpoint/gguf/dequantise.ts'
import type { GgufFile } from '../checkpoint/gguf/file.ts'
import type { GgufEntry } from '../checkpoint/gguf/header.ts'
import { bytesPerValue } from '../checkpoint/safetensors-header.ts'
import type { WeightFile } from '../checkpoint/weight-files.ts'
import type { StoredTensor, WeightType } from '../tensor/stored-tensor.ts'
import { type GgufTensor, rowsFromGguf } from './gguf.ts'

/** A tensor of a checkpoint, and the one of a GGUF file that it is. */
interface View {
  tensor: GgufTensor
  entry: GgufEntry
  dtype: WeightType
}

/** The tensors of a GGUF file under the names, and with the numbers, that a checkpoint's folder would have. */
export class GgufWeights implements WeightFile {
  readonly path: string
  readonly #file: GgufFile
  readonly #views = new Map<string, View>()

  constructor(file: GgufFile) {
    this.path = file.path
    this.#file = file
  }

  /** @returns the type of the numbers that are read. @throws SecateurError where the stored type is not read */
  add(tensor: GgufTensor, entry: GgufEntry): WeightType {
    const stored = dequantisedType(entry.type, this.path, entry.name)
    // What is taken off would be rounded away in 16 bits.
    const dtype = tensor.added === 0 ? stored : 'float32'
    this.#views.set(tensor.spec.name, { tensor, entry, dtype })
    return dtype
  }

  read(name: string): StoredTensor {
    const view = this.#view(name)
    const { shape } = view.entry
    return { name, dtype: view.dtype, shape: [...shape], bytes: this.#rows(view, 0, shape[0]!) }
  }

  readRows(name: string, first: number, count: number, target: Uint8Array): void {
    const view = this.#view(name)
    const rows = view.entry.shape[0]!
    if (!(first >= 0 && count >= 0 && first + count <= rows))
      throw new RangeError(`${name} has ${rows} rows; rows ${first} to ${first + count} were asked for`)
    target.set(this.#rows(view, first, count))
  }

  #view(name: string): View {
    const view = this.#views.get(name)
    if (!view) throw new RangeError(`${this.path} has no ${name}`)
    return view
  }

  #rows({ tensor: { headRows, added }, entry, dtype }: View, first: number, count: number): Uint8Array {
    const rows = entry.shape[0]!
    const width = entry.shape.slice(1).reduce((product, length) => product * length, 1) * bytesPerValue(dtype)
    // Blocks of a vector are not divided at its numbers, and a head is put in order as a whole.
    const unit = entry.shape.length === 1 ? rows : (headRows ?? 1)
    const from = Math.floor(first / unit) * unit
    const to = Math.min(rows, Math.ceil((first + count) / unit) * unit)
    const rowBytes = (entry.end - entry.begin) / rows
    const stored = new Uint8Array((to - from) * rowBytes)
    this.#file.readAt(stored, entry.begin + from * rowBytes)
    const read = dequantise(entry.type, stored)
    const bytes = added === 0 ? read.bytes : withoutAdded(read, added)
    const ordered = headRows === null ? bytes : rowsFromGguf(bytes, to - from, headRows)
    return ordered.subarray((first - from) * width, (first - from + count) * width)
  }

  close(): void {
    this.#file.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

function withoutAdded(read: Pick<StoredTensor, 'dtype' | 'bytes'>, added: number): Uint8Array {
  const values = toFloat32(read).map((value) => value - added)
  return new Uint8Array(values.buffer)
}
