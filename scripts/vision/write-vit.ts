import { join } from 'node:path'
import type { EncoderConfig } from '../../engine/models/encoder-config.ts'
import { writeCheckpoint } from '../../engine/models/write-checkpoint.ts'
import { writeJson } from '../../engine/shared/files.ts'
import type { StoredTensor, WeightType } from '../../engine/tensor/stored-tensor.ts'
import type { Weights } from '../../engine/training/from-scratch.ts'

/** Writes a trained ViT as Hugging Face has it: config.json, weights, and the preprocessing that it was trained with. */
export async function writeVit(
  folder: string,
  config: EncoderConfig,
  weights: Weights,
  dtype: WeightType,
): Promise<void> {
  const tensors = [...weights].map(([name, tensor]): StoredTensor => {
    const data = tensor.dataSync() as Float32Array
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    return { name, dtype: 'float32', shape: tensor.shape, bytes }
  })
  const beside = (temporary: string) => writeJson(join(temporary, 'preprocessor_config.json'), preprocessorOf(config))
  await writeCheckpoint(folder, { config, dtype, tensors, beside })
}

const preprocessorOf = ({ imageSize: [height, width] }: EncoderConfig) => ({
  image_processor_type: 'ViTImageProcessor',
  do_resize: true,
  size: { height, width },
  resample: 2,
  do_rescale: true,
  rescale_factor: 1 / 255,
  do_normalize: true,
  image_mean: [0.5, 0.5, 0.5],
  image_std: [0.5, 0.5, 0.5],
})
