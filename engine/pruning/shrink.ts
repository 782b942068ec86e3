import { toFloat32 } from '../checkpoint/dtype.ts'
import type { LinearName, ShrunkLayer, TensorRole, TensorSpec } from '../models/family.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { familyOf } from '../models/registry.ts'
import { linearOf, tensorsOf } from '../models/tensors.ts'
import type { StoredTensor } from '../tensor/stored-tensor.ts'
import type { Compensation } from './criteria/criterion.ts'
import { type GroupMasks, isEmptyLayer } from './masks.ts'
import { withBiases } from './targets.ts'

/** Layers of which something stays, by their number before. */
const layersLeft = (masks: GroupMasks): number[] => [...masks.keys()].filter((layer) => !isEmptyLayer(masks[layer]!))

const shrunkLayer = (config: ModelConfig, masks: GroupMasks, layer: number): ShrunkLayer =>
  familyOf(config).shrinkLayer(config, config.layers[layer]!, masks[layer]!)

/** @param addsBiases whether what removed groups gave on average is written as biases */
export const shrunkConfig = (config: ModelConfig, masks: GroupMasks, addsBiases = false): ModelConfig => ({
  ...(addsBiases ? withBiases(config) : config),
  layers: layersLeft(masks).map((layer) => shrunkLayer(config, masks, layer).shape),
})

/**
 * The tensors of the shrunk model, one at a time: without the rows and columns of masked groups. What is cut is in float32,
 * and rounded by whoever writes it. Layers of which nothing stays are left out.
 *
 * @param read reads a tensor of the checkpoint that is shrunk, with the adapter merged into it (see `mergedReader`)
 * @param compensation what is added to the biases of the layers that read the groups
 */
export function* shrunkTensors(
  config: ModelConfig,
  read: (name: string) => StoredTensor,
  masks: GroupMasks,
  compensation: Compensation | null = null,
): Generator<StoredTensor> {
  const sources = layersLeft(masks)
  const layers = sources.map((layer) => shrunkLayer(config, masks, layer).kept)
  const stored = new Map(tensorsOf(config).map((spec) => [roleKey(spec.role, spec.role.layer), spec]))
  for (const spec of tensorsOf(shrunkConfig(config, masks, compensation !== null))) {
    const { role } = spec
    const { layer } = role
    const source = stored.get(roleKey(role, layer === null ? null : sources[layer]!))
    if (layer === null || (role.part !== 'weight' && role.part !== 'bias')) {
      yield { ...read(source!.name), name: spec.name }
      continue
    }
    const cut = { config, source: sources[layer]!, kept: layers[layer]!, linears: role.linears }
    const whole = source && read(source.name)
    const values =
      role.part === 'weight'
        ? cutWeight(toFloat32(whole!), cut, spec)
        : cutBias(whole ? toFloat32(whole) : null, cut, spec, compensation?.[sources[layer]!])
    yield { name: spec.name, dtype: 'float32', shape: spec.shape, bytes: new Uint8Array(values.buffer) }
  }
}

/** What a tensor is to a model, as a text; `layer` is its layer's number there. */
function roleKey(role: TensorRole, layer: number | null): string {
  const what = 'linears' in role ? role.linears.join('+') : 'norm' in role ? role.norm : ''
  return `${role.part} ${layer} ${what}`
}

/** A tensor that is cut: of the layer `source` of the model before, with the linear layers that it holds. */
interface Cut {
  config: ModelConfig
  source: number
  kept: ShrunkLayer['kept']
  linears: readonly LinearName[]
}

function cutWeight(whole: Float32Array, { config, source, kept, linears }: Cut, { shape }: TensorSpec): Float32Array {
  const result = new Float32Array(shape[0]! * shape[1]!)
  let [first, written] = [0, 0]
  for (const name of linears) {
    const { outputs, inputs } = linearOf(config, source, name)
    const { rows, columns } = kept[name]!
    const rowCount = rows?.length ?? outputs
    const columnCount = columns?.length ?? inputs
    for (let i = 0; i < rowCount; i++) {
      const start = (first + (rows ? rows[i]! : i)) * inputs
      const target = written + i * columnCount
      if (columns) for (let j = 0; j < columnCount; j++) result[target + j] = whole[start + columns[j]!]!
      else result.set(whole.subarray(start, start + inputs), target)
    }
    first += outputs
    written += rowCount * columnCount
  }
  return result
}

/** @param whole the biases before; null where there were none, and zeros stand for them */
function cutBias(
  whole: Float32Array | null,
  { config, source, kept, linears }: Cut,
  { shape }: TensorSpec,
  added: Compensation[number] | undefined,
): Float32Array {
  const result = new Float32Array(shape[0]!)
  let [first, written] = [0, 0]
  for (const name of linears) {
    const { outputs } = linearOf(config, source, name)
    const rows = kept[name]!.rows ?? Array.from({ length: outputs }, (_, row) => row)
    for (const [i, row] of rows.entries())
      result[written + i] = (whole?.[first + row] ?? 0) + (added?.[name]?.[row] ?? 0)
    first += outputs
    written += rows.length
  }
  return result
}
