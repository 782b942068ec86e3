import { setImmediate } from 'node:timers/promises'
import { weightHolder } from '../backends/weight-holder.ts'
import type { Checkpoint } from './checkpoint.ts'
import { toFloat32 } from '../checkpoint/dtype.ts'
import type { StoredTensor } from './model-config.ts'
import { hasBias, type Projection, projectionBias, projections, projectionTensor } from './projections.ts'
import { type FrozenWeight, frozenWeight, quantise, storedWeight } from '../tensor/frozen-weight.ts'
import type { Linear } from '../ops/linear.ts'
import { type Tensor, tf } from '../tensor/tf.ts'
import type { LlamaLayer, LlamaModel } from './llama.ts'

export interface LoadModelOptions {
  /** Hold projections as int8 with a scale a row, whatever the file has. */
  int8?: boolean
  onProgress?: (bytes: number) => void
}

/**
 * Reads a checkpoint's weights into frozen handles, each in the form in which it is stored; norms become tensors. Where the
 * back end has memory of its own for weights, they go there as they are read, and what it has no room for is read from the
 * checkpoint again: it must stay open as long as the model.
 */
export function loadModel(checkpoint: Checkpoint, options: LoadModelOptions = {}): LlamaModel {
  const layers = layersOf(checkpoint, options)
  for (;;) {
    const { done, value } = layers.next()
    if (done) return value
  }
}

/** The same, with room between two layers for whatever else the process must hear, such as a stop. */
export async function loadModelInSlices(
  checkpoint: Checkpoint,
  { signal, ...options }: LoadModelOptions & { signal?: AbortSignal } = {},
): Promise<LlamaModel> {
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

/** Reads layer by layer; the model is what it returns. What was read is disposed of where it does not come to that. */
function* layersOf(checkpoint: Checkpoint, options: LoadModelOptions): Generator<undefined, LlamaModel> {
  const { config } = checkpoint
  const read = (name: string): StoredTensor => {
    const stored = checkpoint.read(name)
    options.onProgress?.(stored.bytes.byteLength)
    return stored
  }
  using made = new DisposableStack()
  const holder = weightHolder()
  const matrix = (name: string, int8 = false): FrozenWeight => {
    if (!holder) {
      const weight = frozenWeight(read(name))
      return int8 ? quantise(weight) : weight
    }
    const tensor = checkpoint.tensors.get(name)!
    const weight = storedWeight(tensor, (first, count) => checkpoint.rowsOf(name, first, count), int8)
    made.defer(() => holder.dropWeight(weight))
    holder.placeWeight(weight)
    options.onProgress?.(tensor.bytes)
    return weight
  }
  const vector = (name: string): Tensor => {
    const tensor = tf.tensor1d(toFloat32(read(name)))
    made.defer(() => tensor.dispose())
    return tensor
  }
  const projection = (layer: number, which: Projection): Linear => ({
    weight: matrix(projectionTensor(layer, which), options.int8),
    bias: hasBias(config, which) ? vector(projectionBias(layer, which)) : null,
  })
  const embedding = matrix('model.embed_tokens.weight')
  const layers: LlamaLayer[] = []
  for (const [index, shape] of config.layers.entries()) {
    const prefix = `model.layers.${index}`
    layers.push({
      shape,
      projections: Object.fromEntries(projections.map((which) => [which, projection(index, which)])) as Record<
        Projection,
        Linear
      >,
      inputNorm: vector(`${prefix}.input_layernorm.weight`),
      feedForwardNorm: vector(`${prefix}.post_attention_layernorm.weight`),
      queryNorm: config.queryKeyNorm ? vector(`${prefix}.self_attn.q_norm.weight`) : null,
      keyNorm: config.queryKeyNorm ? vector(`${prefix}.self_attn.k_norm.weight`) : null,
    })
    yield
  }
  const model: LlamaModel = {
    config,
    embedding,
    layers,
    norm: vector('model.norm.weight'),
    head: { weight: config.tiedEmbeddings ? embedding : matrix('lm_head.weight'), bias: null },
  }
  made.move()
  return model
}

/** Disposes of the tensors of a model, and of what a back end holds of its weights. */
export function disposeModel(model: LlamaModel): void {
  const holder = weightHolder()
  const matrices = [model.embedding, model.head.weight, ...model.layers.flatMap(weightsOfLayer)]
  for (const weight of matrices) if (holder && !('dataId' in weight)) holder.dropWeight(weight)
  const tensors = [
    model.norm,
    ...model.layers.flatMap(({ inputNorm, feedForwardNorm, queryNorm, keyNorm, projections: linears }) => [
      inputNorm,
      feedForwardNorm,
      queryNorm,
      keyNorm,
      ...Object.values(linears).map(({ bias }) => bias),
    ]),
  ]
  tf.dispose(tensors.filter((tensor) => tensor !== null))
}

const weightsOfLayer = ({ projections: linears }: LlamaLayer) => Object.values(linears).map(({ weight }) => weight)
