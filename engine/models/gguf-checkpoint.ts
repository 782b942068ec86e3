import { basename } from 'node:path'
import { toFloat32 } from '../checkpoint/dtype.ts'
import { dequantise, dequantisedType, isQuantised } from '../checkpoint/gguf/dequantise.ts'
import type { GgufFile } from '../checkpoint/gguf/file.ts'
import { type GgufModel, openGguf } from '../checkpoint/gguf/open.ts'
import { bytesPerValue, elementsOf, fileTypeOf } from '../checkpoint/safetensors-header.ts'
import type { PlacedTensor } from '../checkpoint/weight-files.ts'
import { badFile } from '../shared/errors.ts'
import { ggufConfig } from './gguf-config.ts'
import { GgufWeights } from './gguf-weights.ts'
import { ggufTensors, ropeFactorsName } from './gguf.ts'
import type { TensorSummary } from './match-tensors.ts'
import type { ModelConfig } from './model-config.ts'
import type { OpenedCheckpoint, Quantisation } from './opened-checkpoint.ts'

/** Rotary factors are half a head; more than this is none of them. */
const mostFactors = 2 ** 16

/**
 * Opens a GGUF file, or a split one, as a checkpoint: its keys become the config, and each tensor stands for that of the
 * family. No weight is read.
 *
 * @throws SecateurError naming the file, and the key or tensor that is missing, wrong or not supported
 */
export function openGgufCheckpoint(path: string): OpenedCheckpoint {
  const model = openGguf(path)
  try {
    const config = ggufConfig(model.keys, {
      shapeOf: (name) => model.tensors.get(name)?.tensor.shape,
      factors: (name) => factorsIn(model, name),
    })
    const { files, places, used } = placesOf(model, config)
    const quantisation = quantisationOf(model)
    return {
      path: model.path,
      config,
      files,
      places,
      used,
      ignored: [],
      sameHead: null,
      quantisation,
      warnings: quantisation === null ? [] : [quantisedText(model.path, quantisation)],
    }
  } catch (error) {
    for (const file of model.files) file.close()
    throw error
  }
}

function factorsIn({ tensors, path }: GgufModel, name: string): Float32Array | null {
  const place = tensors.get(name)
  if (!place) return null
  const { tensor, file } = place
  if (tensor.shape.length !== 1 || tensor.shape[0]! > mostFactors)
    throw badFile(path, name, `has shape [${tensor.shape}]; it must have one number for each pair of a head`)
  dequantisedType(tensor.type, path, name)
  const bytes = new Uint8Array(tensor.end - tensor.begin)
  file.readAt(bytes, tensor.begin)
  return toFloat32(dequantise(tensor.type, bytes))
}

function placesOf({ path, tensors, files }: GgufModel, config: ModelConfig) {
  const weights = new Map<GgufFile, GgufWeights>(files.map((file) => [file, new GgufWeights(file)]))
  const expected = ggufTensors(config, path)
  const missing = expected.filter(({ name }) => !tensors.has(name))
  if (missing.length > 0) {
    const others = missing.length > 1 ? ` (with ${missing.length - 1} others of ${expected.length})` : ''
    throw badFile(path, missing[0]!.name, `is missing from the weights, but the keys need it${others}`)
  }
  const known = new Set([ropeFactorsName, ...expected.map(({ name }) => name)])
  const unknown = [...tensors].filter(([name]) => !known.has(name))
  if (unknown.length > 0) {
    const others = unknown.length > 1 ? ` (nor are ${unknown.length - 1} others)` : ''
    const [name, { file }] = unknown[0]!
    throw badFile(file.path, name, `is not part of the model that the keys describe${others}`)
  }
  const places = new Map<string, PlacedTensor>()
  const used = new Map<string, TensorSummary>()
  for (const each of expected) {
    const { tensor, file } = tensors.get(each.name)!
    const { name, shape } = each.spec
    if (tensor.shape.length !== shape.length || tensor.shape.some((length, axis) => length !== shape[axis]))
      throw badFile(file.path, each.name, `has shape [${tensor.shape}]; by the keys it must be [${shape}]`)
    const view = weights.get(file)!
    const dtype = view.add(each, tensor)
    const bytes = elementsOf(shape) * bytesPerValue(dtype)
    places.set(name, { entry: { name, dtype: fileTypeOf(dtype), shape, bytes }, file: view })
    used.set(name, { name, dtype, shape, bytes, file: file.path })
  }
  return { files: [...weights.values()], places, used }
}

function quantisationOf({ tensors }: GgufModel): Quantisation | null {
  const types: Record<string, number> = {}
  let bytes = 0
  let weights = 0
  for (const { tensor } of tensors.values()) {
    const count = elementsOf(tensor.shape)
    types[tensor.type] = (types[tensor.type] ?? 0) + count
    bytes += tensor.end - tensor.begin
    weights += count
  }
  if (![...tensors.values()].some(({ tensor }) => isQuantised(tensor.type))) return null
  return { bitsPerWeight: (8 * bytes) / weights, types }
}

/** Types by how many weights have them. */
export const typesText = ({ types }: Quantisation): string =>
  Object.entries(types)
    .toSorted(([, one], [, other]) => other - one)
    .map(([name]) => name)
    .join(', ')

const quantisedText = (path: string, quantisation: Quantisation) =>
  `${basename(path)} is quantised, to ${quantisation.bitsPerWeight.toFixed(2)} bits for a weight (${typesText(quantisation)}): ` +
  'its weights are computed with as they are, in float32, and what was lost stays lost. Take the original checkpoint where there is one.'
