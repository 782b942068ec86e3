import { closeSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { encodeModel, type GraphConstant } from '../../backends/onnx/model-proto.ts'
import { firstNonFinite } from '../../checkpoint/check-finite.ts'
import { fromFloat32, toFloat32 } from '../../checkpoint/dtype.ts'
import { bytesPerValue, elementsOf } from '../../checkpoint/safetensors-header.ts'
import { SecateurError } from '../../shared/errors.ts'
import { writeFileAtomically } from '../../shared/files.ts'
import { openToWrite } from '../../shared/open-file.ts'
import { version } from '../../shared/version.ts'
import type { WorkControl } from '../../shared/work-control.ts'
import type { StoredTensor } from '../../tensor/stored-tensor.ts'
import type { DecoderGraph } from './decoder-graph.ts'
import type { GraphWeight } from './graph-weights.ts'

export const modelName = 'model.onnx'
const dataName = 'model.onnx_data'
/** ONNX Runtime maps weights into memory that begin on such a multiple. */
const alignment = 4096
const maxWriteBytes = 2 ** 30

const bytesOf = ({ spec, type }: GraphWeight) => elementsOf(spec.shape) * bytesPerValue(type)
const aligned = (bytes: number) => Math.ceil(bytes / alignment) * alignment

/** Bytes of a graph's weights as they lie in the file beside it. */
export const weightBytes = (weights: readonly GraphWeight[]): number =>
  weights.reduce((sum, weight) => sum + aligned(bytesOf(weight)), 0)

/**
 * Writes a model into a folder: the graph, and its weights in a file of their own, since a message of protocol buffers ends
 * at 2 GB. One tensor is held at a time.
 *
 * @param read reads a tensor of the checkpoint
 * @throws SecateurError where a number is too large for the type
 */
export async function writeOnnx(
  folder: string,
  graph: DecoderGraph,
  read: (name: string) => StoredTensor,
  { signal, progress }: WorkControl,
): Promise<void> {
  const all = weightBytes(graph.weights)
  const file = openToWrite(join(folder, dataName), 'w')
  const constants: GraphConstant[] = [...graph.constants]
  try {
    let offset = 0
    for (const weight of graph.weights) {
      const { name, shape } = weight.spec
      const bytes = encoded(read(name), weight)
      writeAt(file, bytes, offset)
      constants.push({ name, type: weight.type, shape, data: { file: dataName, offset, bytes: bytes.length } })
      offset += aligned(bytes.length)
      progress(offset, all)
      await setImmediate()
      signal.throwIfAborted()
    }
  } finally {
    closeSync(file)
  }
  const form = { opset: 21, irVersion: 10, microsoft: false, name: 'decoder', producerVersion: version }
  writeFileAtomically(join(folder, modelName), encodeModel({ ...graph, constants }, form))
}

function encoded(stored: StoredTensor, { type, added }: GraphWeight): Uint8Array {
  if (added === 0 && stored.dtype === type) return stored.bytes
  const values = toFloat32(stored)
  const bytes = fromFloat32(added === 0 ? values : values.map((value) => value + added), type)
  if (firstNonFinite({ ...stored, dtype: type, bytes }) !== -1)
    throw new SecateurError('unsupported', `has numbers too large for ${type}; take --dtype bf16 or f32`, {
      field: stored.name,
    })
  return bytes
}

function writeAt(file: number, data: Uint8Array, position: number): void {
  for (let done = 0; done < data.length;) {
    done += writeSync(file, data, done, Math.min(maxWriteBytes, data.length - done), position + done)
  }
}
