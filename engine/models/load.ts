import { setImmediate } from 'node:timers/promises'
import { backendExtras, type WeightRoom } from '../backends/extras.ts'
import { toFloat32 } from '../checkpoint/dtype.ts'
import { runToEnd } from '../shared/run-to-end.ts'
import {
  type FrozenWeight,
  frozenWeight,
  movedTo,
  quantise,
  storedWeight,
  type Weight,
} from '../tensor/frozen-weight.ts'
import type { StoredTensor } from '../tensor/stored-tensor.ts'
import { tf } from '../tensor/tf.ts'
import { familyOf } from './registry.ts'
import { assemble, assembleEmbedding, assembleLayer, type PartSource } from './assemble.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { Layer, Model, TensorSpec } from './family.ts'
import type { ModelConfig } from './model-config.ts'

export interface LoadModelOptions {
  /** Hold the weights of linear layers as int8 with a scale a row, whatever the file has. */
  int8?: boolean
  onProgress?: (bytes: number) => void
}

/**
 * Reads a checkpoint's weights into frozen handles, each in the form in which it is stored; norms become tensors. Where the
 * back end has memory of its own for weights, they go there as they are read, and what it has no room for is read from the
 * checkpoint again: it must stay open as long as the model.
 */
export const loadModel = (checkpoint: Checkpoint, options: LoadModelOptions = {}): Model =>
  runToEnd(layersOf(checkpoint, options))

/** The same, with room between two layers for whatever else the process must hear, such as a stop. */
export async function loadModelInSlices(
  checkpoint: Checkpoint,
  { signal, ...options }: LoadModelOptions & { signal?: AbortSignal } = {},
): Promise<Model> {
  const layers = layersOf(checkpoint, options)
  try {
    for (;;) {
      const { done, value } = layers.next()
      if (done) return value
      await setImmediate()
      signal?.throwIfAborted()
    }
  } finally {
    layers.return(undefined as never)
  }
}

/** The embedding, the norms and the head of a checkpoint, as a model without blocks. */
export const loadHead = (checkpoint: Checkpoint): Model =>
  runToEnd(layersOf(checkpoint, {}, { ...checkpoint.config, layers: [] }))

/** Reads layer by layer; the model is what it returns. What was read is disposed of where it does not come to that. */
function* layersOf(
  checkpoint: Checkpoint,
  options: LoadModelOptions,
  config: ModelConfig = checkpoint.config,
): Generator<undefined, Model> {
  using made = new DisposableStack()
  // What writes text is multiplied with a few rows at a time.
  const room = familyOf(config).task === 'causal-lm' ? backendExtras().weightRoom() : null
  const model = yield* assemble(config, partsOf(checkpoint, { ...options, room }, made))
  made.move()
  return model
}

/** Reads one layer, for work that goes layer by layer; dispose of it with `disposeLayer`. */
export function loadLayer(checkpoint: Checkpoint, layer: number): Layer {
  using made = new DisposableStack()
  const loaded = assembleLayer(checkpoint.config, layer, partsOf(checkpoint, {}, made))
  made.move()
  return loaded
}

/** Reads what embeds: a model without layers. Dispose of it with `disposeModel`. */
export function loadEmbedding(checkpoint: Checkpoint): Model {
  using made = new DisposableStack()
  const loaded = assembleEmbedding(checkpoint.config, partsOf(checkpoint, {}, made))
  made.move()
  return loaded
}

/** The shape of a matrix [rows, all other dimensions]: that is how a convolution over patches is multiplied with. */
const flat = (rows: number, shape: readonly number[]): number[] => [
  rows,
  shape.slice(1).reduce((product, size) => product * size, 1),
]

function partsOf(
  checkpoint: Checkpoint,
  { int8, onProgress, room }: LoadModelOptions & { room?: WeightRoom | null },
  made: DisposableStack,
): PartSource {
  const holder = backendExtras().weightHolder
  const read = ({ name, shape }: TensorSpec, first: number, count: number): StoredTensor => {
    const stored = count === shape[0] ? checkpoint.read(name) : checkpoint.rowsOf(name, first, count)
    onProgress?.(stored.bytes.byteLength)
    return stored
  }
  const readInto = (into: WeightRoom, { name }: TensorSpec, first: number, count: number): StoredTensor => {
    const stored = checkpoint.rowsOf(name, first, count, (bytes) => into.take(bytes))
    onProgress?.(stored.bytes.byteLength)
    return stored
  }
  const vector = (spec: TensorSpec, first: number, count: number, offset = 0) => {
    const values = toFloat32(read(spec, first, count))
    const tensor = tf.tensor1d(offset === 0 ? values : values.map((value) => value + offset))
    made.defer(() => tensor.dispose())
    return tensor
  }
  return {
    matrix(spec, first, count): FrozenWeight {
      const inInt8 = int8 === true && spec.role.part === 'weight'
      if (!holder) {
        const stored = room && !inInt8 ? readInto(room, spec, first, count) : read(spec, first, count)
        const weight = frozenWeight({ ...stored, shape: flat(count, stored.shape) })
        if (!inInt8) return weight
        const quantised = quantise(weight)
        return room ? movedTo(room, quantised) : quantised
      }
      const tensor = checkpoint.tensors.get(spec.name)!
      const part = { ...tensor, shape: flat(count, tensor.shape) }
      const rowsAt = (row: number, rows: number) => {
        const stored = checkpoint.rowsOf(spec.name, first + row, rows)
        return { ...stored, shape: flat(rows, stored.shape) }
      }
      const weight = storedWeight(part, rowsAt, inInt8)
      made.defer(() => holder.dropWeight(weight))
      holder.placeWeight(weight)
      onProgress?.((tensor.bytes / tensor.shape[0]!) * count)
      return weight
    },
    bias: vector,
    norm: (spec, offset) => vector(spec, 0, spec.shape[0]!, offset),
  }
}

/** Disposes of the tensors of a model, and of what a back end holds of its weights. */
export function disposeModel({ embedding, head, norms, layers }: Model): void {
  dropWeights([embedding, head?.weight])
  for (const layer of layers) disposeLayer(layer)
  tf.dispose(norms)
  backendExtras().weightsDropped()
}

/** The same of one layer. */
export function disposeLayer({ linears, norms }: Layer): void {
  const all = Object.values(linears)
  dropWeights(all.map(({ weight }) => weight))
  tf.dispose(all.map(({ bias }) => bias).filter((bias) => bias !== null))
  tf.dispose(norms)
}

function dropWeights(weights: readonly (Weight | undefined)[]): void {
  const holder = backendExtras().weightHolder
  for (const weight of weights) if (holder && weight && !('dataId' in weight)) holder.dropWeight(weight)
}
