import { join } from 'node:path'
import { chooseBackend } from '../../engine/backends/choose.ts'
import { fromFloat32 } from '../../engine/checkpoint/dtype.ts'
import { writeSafetensors } from '../../engine/checkpoint/safetensors-writer.ts'
import { loadAdapter } from '../../engine/lora/load-adapter.ts'
import { pairsOf } from '../../engine/lora/adapter.ts'
import { openCheckpoint } from '../../engine/models/checkpoint.ts'
import { writeCheckpoint } from '../../engine/models/write-checkpoint.ts'
import { disposeModel, loadModel } from '../../engine/models/load.ts'
import { Random } from '../../engine/shared/random.ts'
import { type Tensor, tf } from '../../engine/tensor/tf.ts'
import { lossAndGradients } from '../../engine/training/gradients.ts'
import { batchOf, forward } from '../unit/models/shared.ts'

/** What every judge reads: long enough for windows of attention and rotary bases to show. */
const [rows, length] = [2, 24]
const random = new Random(5)
export const ids = Array.from({ length: rows }, () =>
  Array.from({ length }, () => 3 + Math.floor(random.uniform() * 45)),
)
/** The next token; the last of a row predicts none. */
export const targets = ids.map((row) => [...row.slice(1), -1])

let chosen: Promise<unknown> | undefined
/** The back end that Secateur answers on. */
export const startBackend = () => (chosen ??= chooseBackend({ device: 'onnx', threads: 2 }))

const stored = (name: string, tensor: Float32Array, shape: number[]) => ({
  name,
  dtype: 'float32' as const,
  shape,
  bytes: fromFloat32(tensor, 'float32'),
})
const valuesOf = (tensor: Tensor) => Float32Array.from(tensor.dataSync())

/**
 * Secateur's answers as a safetensors file: "logits" [2, 24, vocabulary] and, with an adapter, the gradients of the mean
 * loss with respect to its matrices, "gradients.layers.0.q.a".
 */
export async function writeAnswers(file: string, folder: string, adapterFolder?: string): Promise<string> {
  await startBackend()
  using checkpoint = openCheckpoint(folder)
  const model = loadModel(checkpoint)
  const adapter = adapterFolder === undefined ? undefined : loadAdapter(adapterFolder, checkpoint)
  const batch = batchOf({ ids, targets })
  const shape = [rows, length, checkpoint.config.vocabularySize]
  const answers = [stored('logits', forward(model, batch, adapter ? { adapter } : {}), shape)]
  if (adapter) {
    const { gradients } = lossAndGradients(model, adapter, batch, tf.scalar(batch.targets))
    for (const [layer, matrices] of gradients.entries())
      for (const [projection, pair] of pairsOf(matrices))
        for (const half of ['a', 'b'] as const)
          answers.push(
            stored(`gradients.layers.${layer}.${projection}.${half}`, valuesOf(pair[half]), pair[half].shape),
          )
  }
  disposeModel(model)
  writeSafetensors(file, answers)
  return file
}

/** The same checkpoint in files of at most 20 kB of tensors. */
export async function writeSharded(from: string, folder: string): Promise<string> {
  using checkpoint = openCheckpoint(from)
  const { config, dtype, tensors } = checkpoint
  const read = [...tensors.keys()].map((name) => checkpoint.read(name))
  const sharded = join(folder, 'sharded')
  await writeCheckpoint(sharded, { config, dtype, tensors: read, tokenizerFrom: from, maxShardBytes: 20_000 })
  return sharded
}
