import type { LayerShape, ModelConfig, StoredTensor, WeightType } from '../models/model-config.ts'
import { fromFloat32, toFloat32 } from '../checkpoint/dtype.ts'
import { expectedTensors } from '../models/expected-tensors.ts'
import { hasBias, type Projection, projections, projectionBias, projectionTensor } from '../models/projections.ts'
import type { Compensation } from './criteria/flap.ts'
import { type GroupMasks, isEmptyLayer } from './masks.ts'
import { withBiases } from './targets.ts'

/** An adapter's values on the host: a [rank, in] and b [out, rank] a projection, layer by layer. */
export interface AdapterValues {
  scale: number
  layers: Partial<Record<Projection, { a: Float32Array; b: Float32Array }>>[]
}

const kept = (mask: Uint8Array): number[] => [...mask.keys()].filter((index) => mask[index] === 1)

interface KeptFeatures {
  shape: LayerShape
  /** Elements of the query heads, of the key/value heads, and channels that stay. */
  queries: number[]
  keyValues: number[]
  channels: number[]
}

/** What stays of a layer. Attention groups are whole key/value heads or single query heads, as many as the mask is long. */
function keptFeatures(config: ModelConfig, shape: LayerShape, masks: GroupMasks[number]): KeptFeatures {
  const elements = (heads: number[]) =>
    heads.flatMap((head) => Array.from({ length: config.headSize }, (_, i) => head * config.headSize + i))
  const shared = shape.heads / shape.keyValueHeads
  const readers = shape.keyValueHeadOf ?? Array.from({ length: shape.heads }, (_, head) => Math.floor(head / shared))
  const single = masks.heads.length === shape.heads
  const queryHeads = single
    ? kept(masks.heads)
    : [...readers.keys()].filter((head) => masks.heads[readers[head]!] === 1)
  // A key/value head that nobody reads any more leaves too.
  const keyValueHeads = [...new Set(queryHeads.map((head) => readers[head]!))].sort((one, other) => one - other)
  const newReaders = queryHeads.map((head) => keyValueHeads.indexOf(readers[head]!))
  const ratio = queryHeads.length / keyValueHeads.length
  const even = Number.isInteger(ratio) && newReaders.every((reader, head) => reader === Math.floor(head / ratio))
  const channels = kept(masks.channels)
  return {
    shape: {
      heads: queryHeads.length,
      keyValueHeads: keyValueHeads.length,
      channels: channels.length,
      ...(even ? {} : { keyValueHeadOf: newReaders }),
    },
    queries: elements(queryHeads),
    keyValues: elements(keyValueHeads),
    channels,
  }
}

/** Layers of which something stays, by their number before. */
const layersLeft = (masks: GroupMasks): number[] => [...masks.keys()].filter((layer) => !isEmptyLayer(masks[layer]!))

/** @param addsBiases whether what removed groups gave on average is written as biases */
export const shrunkConfig = (config: ModelConfig, masks: GroupMasks, addsBiases = false): ModelConfig => ({
  ...(addsBiases ? withBiases(config) : config),
  layers: layersLeft(masks).map((layer) => keptFeatures(config, config.layers[layer]!, masks[layer]!).shape),
})

/** Rows and columns of a projection's weight that stay; null for all. */
function keptSides(
  projection: Projection,
  features: KeptFeatures,
): { rows: number[] | null; columns: number[] | null } {
  switch (projection) {
    case 'q':
      return { rows: features.queries, columns: null }
    case 'k':
    case 'v':
      return { rows: features.keyValues, columns: null }
    case 'o':
      return { rows: null, columns: features.queries }
    case 'gate':
    case 'up':
      return { rows: features.channels, columns: null }
    case 'down':
      return { rows: null, columns: features.channels }
  }
}

/**
 * The tensors of the merged and shrunk model, one at a time: W + scale * B A in float32 without the rows and columns of
 * masked groups, rounded once to `dtype`. Layers of which nothing stays are left out.
 *
 * @param read reads a tensor of the checkpoint that is shrunk
 * @param compensation what is added to the biases of o and down
 */
export function* shrunkTensors(
  config: ModelConfig,
  read: (name: string) => StoredTensor,
  masks: GroupMasks,
  adapter: AdapterValues | null,
  dtype: WeightType,
  compensation: Compensation | null = null,
): Generator<StoredTensor> {
  const changed = new Map<string, () => StoredTensor>()
  const moved = new Map<string, string>()
  for (const [layer, source] of layersLeft(masks).entries()) {
    const features = keptFeatures(config, config.layers[source]!, masks[source]!)
    for (const name of layerTensors(config, source)) moved.set(name.replace(prefix(source), prefix(layer)), name)
    for (const projection of projections) {
      const { rows, columns } = keptSides(projection, features)
      const pair = adapter?.layers[source]?.[projection]
      const [weight, bias] = [projectionTensor(layer, projection), projectionBias(layer, projection)]
      changed.set(weight, () => ({
        ...mergeAndCut(read(projectionTensor(source, projection)), pair, adapter?.scale ?? 0, rows, columns, dtype),
        name: weight,
      }))
      changed.set(bias, () => {
        const own = hasBias(config, projection) ? toFloat32(read(projectionBias(source, projection))) : null
        const added = projection === 'o' || projection === 'down' ? compensation?.[source]?.[projection] : undefined
        const length = own?.length ?? rows?.length ?? config.hiddenSize
        const whole = Float32Array.from({ length }, (_, i) => (own?.[i] ?? 0) + (added?.[i] ?? 0))
        const left = own && rows ? Float32Array.from(rows, (row) => whole[row]!) : whole
        return { name: bias, dtype, shape: [left.length], bytes: fromFloat32(left, dtype) }
      })
    }
  }
  for (const name of expectedTensors(shrunkConfig(config, masks, compensation !== null)).keys()) {
    const make = changed.get(name)
    if (make) yield make()
    else {
      const stored = { ...read(moved.get(name) ?? name), name }
      yield stored.dtype === dtype ? stored : { ...stored, dtype, bytes: fromFloat32(toFloat32(stored), dtype) }
    }
  }
}

const prefix = (layer: number): string => `model.layers.${layer}.`

/** Names of a layer's tensors. */
const layerTensors = (config: ModelConfig, layer: number): string[] =>
  [...expectedTensors(config).keys()].filter((name) => name.startsWith(prefix(layer)))

function mergeAndCut(
  stored: StoredTensor,
  pair: { a: Float32Array; b: Float32Array } | undefined,
  scale: number,
  rows: number[] | null,
  columns: number[] | null,
  dtype: WeightType,
): StoredTensor {
  const [outputs, inputs] = stored.shape as [number, number]
  const whole = toFloat32(stored)
  const rank = pair ? pair.a.length / inputs : 0
  const rowCount = rows?.length ?? outputs
  const columnCount = columns?.length ?? inputs
  const result = new Float32Array(rowCount * columnCount)
  const line = new Float32Array(inputs)
  for (let i = 0; i < rowCount; i++) {
    const row = rows ? rows[i]! : i
    line.set(whole.subarray(row * inputs, (row + 1) * inputs))
    for (let r = 0; r < rank; r++) {
      const factor = scale * pair!.b[row * rank + r]!
      if (factor === 0) continue
      const a = pair!.a.subarray(r * inputs, (r + 1) * inputs)
      for (let j = 0; j < inputs; j++) line[j] = line[j]! + factor * a[j]!
    }
    if (columns) for (let j = 0; j < columnCount; j++) result[i * columnCount + j] = line[columns[j]!]!
    else result.set(line, i * columnCount)
  }
  return { name: stored.name, dtype, shape: [rowCount, columnCount], bytes: fromFloat32(result, dtype) }
}
