import { join } from 'node:path'
import { plainConfig } from '../../../engine/bench/shapes.ts'
import { fromFloat32 } from '../../../engine/checkpoint/dtype.ts'
import type { DecoderConfig } from '../../../engine/models/decoder-config.ts'
import { expectedTensors } from '../../../engine/models/tensors.ts'
import { writeCheckpoint } from '../../../engine/models/write-checkpoint.ts'
import { Random } from '../../../engine/shared/random.ts'
import type { StoredTensor, WeightType } from '../../../engine/tensor/stored-tensor.ts'

const sample = join(import.meta.dirname, '../../../resources/sample/model')

/** Llamas whose parameters lie in different places: in many layers, in wide ones, in the tables. */
const sizes = {
  '4M': { width: 256, layers: 4, heads: 8, keyValueHeads: 4, channels: 704, vocabulary: 4096, tied: true },
  '30M': { width: 512, layers: 8, heads: 8, keyValueHeads: 8, channels: 1376, vocabulary: 8192, tied: false },
  '100M wide': { width: 2048, layers: 2, heads: 32, keyValueHeads: 8, channels: 5632, vocabulary: 4096, tied: true },
  '125M': { width: 768, layers: 12, heads: 12, keyValueHeads: 12, channels: 2048, vocabulary: 50304, tied: true },
  '150M head': { width: 1024, layers: 2, heads: 16, keyValueHeads: 8, channels: 2816, vocabulary: 128256, tied: true },
  '1.1B': { width: 2048, layers: 22, heads: 32, keyValueHeads: 4, channels: 5632, vocabulary: 32000, tied: false },
  '135M deep': { width: 576, layers: 30, heads: 9, keyValueHeads: 3, channels: 1536, vocabulary: 49152, tied: true },
} as const
export type SizeName = keyof typeof sizes
export const sizeNames = Object.keys(sizes) as SizeName[]

/** Writes a checkpoint of random weights, with the sample's tokenizer. */
export async function writeRandomCheckpoint(folder: string, name: SizeName, dtype: WeightType): Promise<void> {
  const config = configOf(name)
  await writeCheckpoint(folder, { config, dtype, tensors: drawn(config, dtype), tokenizerFrom: sample })
}

export function configOf(name: SizeName): DecoderConfig {
  const { width, layers, heads, keyValueHeads, channels, vocabulary, tied } = sizes[name]
  return plainConfig({
    vocabularySize: vocabulary,
    hiddenSize: width,
    headSize: width / heads,
    layers: Array.from({ length: layers }, () => ({ heads, keyValueHeads, channels })),
    tiedEmbeddings: tied,
  })
}

function* drawn(config: DecoderConfig, dtype: WeightType): Generator<StoredTensor> {
  const random = new Random(1)
  for (const [name, shape] of expectedTensors(config)) {
    const data = new Float32Array(shape.reduce((product, size) => product * size, 1))
    if (shape.length === 1) data.fill(1)
    else for (let i = 0; i < data.length; i++) data[i] = (random.bits() / 2 ** 32 - 0.5) * 0.05
    yield { name, dtype, shape: [...shape], bytes: fromFloat32(data, dtype) }
  }
}
