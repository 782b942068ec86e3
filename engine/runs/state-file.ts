import { createHash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { firstNonFinite } from '../checkpoint/check-finite.ts'
import { SafetensorsFile } from '../checkpoint/safetensors.ts'
import { writeSafetensors } from '../checkpoint/safetensors-writer.ts'
import { badFile } from '../shared/errors.ts'
import type { SavedValues } from '../shared/saved-values.ts'
import type { StoredTensor } from '../tensor/stored-tensor.ts'

const damage = 'the saved state is damaged: put back a copy of it, or remove it to begin at the first step'

/** Saves the values of a run after a step, with their checksum: the old file stays until the new one is whole on disk. */
export function writeState(file: string, step: number, values: SavedValues): void {
  mkdirSync(dirname(file), { recursive: true })
  const tensors = [...values].map(([name, { shape, data }]): StoredTensor => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    return { name, dtype: 'float32', shape, bytes }
  })
  writeSafetensors(file, tensors, { step: String(step), sha256: checksumOf(step, tensors) })
}

/**
 * What `writeState` saved. Files of versions that kept no checksum are read without one.
 *
 * @throws SecateurError where a value is not what was saved, or is not a number
 */
export function readState(file: string): { step: number; values: SavedValues } {
  using opened = new SafetensorsFile(file)
  const step = stepOf(opened)
  const tensors = [...opened.tensors.values()].map(({ name, dtype }) => {
    if (dtype !== 'F32') throw badFile(file, name, `is ${dtype}, and saved values are F32: ${damage}`)
    return opened.read(name)
  })
  const { step: _, sha256, ...unknown } = opened.metadata
  const [strange] = Object.keys(unknown)
  if (strange !== undefined) throw badFile(file, `__metadata__.${strange}`, `is nothing that a run writes: ${damage}`)
  const isWhole = sha256 === checksumOf(step, tensors)
  if (sha256 !== undefined && !isWhole)
    throw badFile(file, undefined, `its checksum is not that of what it holds: ${damage}`)
  const values: SavedValues = new Map()
  for (const tensor of tensors) {
    const data = new Float32Array(tensor.bytes.buffer, tensor.bytes.byteOffset, tensor.bytes.length / 4)
    const wrong = firstNonFinite(tensor)
    if (wrong >= 0)
      throw badFile(
        file,
        tensor.name,
        `holds ${data[wrong]} as value ${wrong}: ${isWhole ? 'training had diverged when it was saved; start again with other settings' : damage}`,
      )
    values.set(tensor.name, { shape: tensor.shape, data })
  }
  return { step, values }
}

/** Step of a saved state, from its header alone. */
export function stepOf({ path, metadata }: SafetensorsFile): number {
  const text = metadata['step'] ?? ''
  const step = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(step)) throw badFile(path, 'step', 'is not a number of steps')
  return step
}

/** SHA-256 over the step and, in the order of their names, the tensors' names, shapes and bytes. */
function checksumOf(step: number, tensors: readonly StoredTensor[]): string {
  const hash = createHash('sha256').update(`${step}\n`)
  for (const { name, shape, bytes } of tensors.toSorted((one, other) => (one.name < other.name ? -1 : 1)))
    hash.update(`${JSON.stringify(name)} [${shape.join(', ')}]\n`).update(bytes)
  return hash.digest('hex')
}
