import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { layOut, type PlannedTensor } from '../../../engine/checkpoint/safetensors-header.ts'
import { SafetensorsFile } from '../../../engine/checkpoint/safetensors.ts'
import { dequantise, dequantisedType } from '../../../engine/checkpoint/gguf/dequantise.ts'
import { openGguf } from '../../../engine/checkpoint/gguf/open.ts'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'
import { readConfig } from '../../../engine/models/registry.ts'
import { tensorsOf } from '../../../engine/models/tensors.ts'
import { FIXTURES, fixtureModel, type FixtureName } from '../../fixtures/read.ts'
import { ggufBytes, type Key } from '../../unit/checkpoint/gguf/bytes.ts'
import { filesIn } from '../files.ts'
import type { Target } from '../target.ts'

const planned: PlannedTensor[] = [
  { name: 'a', dtype: 'float32', shape: [3, 4] },
  { name: 'b.weight', dtype: 'float16', shape: [5] },
  { name: 'c', dtype: 'bfloat16', shape: [] },
]

/** The bytes of a safetensors file with some tensors of zeros. */
export function safetensorsOf(tensors: readonly PlannedTensor[], metadata: Record<string, string> = {}): Buffer {
  const { header, bytes } = layOut(tensors, metadata)
  return Buffer.concat([header, Buffer.alloc(bytes - header.length)])
}

export const safetensors: Target = {
  name: 'safetensors',
  seeds: () => [
    { 'a.safetensors': safetensorsOf(planned, { format: 'pt' }) },
    { 'a.safetensors': safetensorsOf([]) },
    { 'a.safetensors': readFileSync(join(fixtureModel('llama_bf16'), 'model.safetensors')) },
  ],
  read(folder) {
    using file = new SafetensorsFile(join(folder, 'a.safetensors'))
    for (const name of file.tensors.keys()) file.read(name)
  },
}

export const config: Target = {
  name: 'config',
  seeds: () => FIXTURES.map((name) => ({ 'config.json': readFileSync(join(fixtureModel(name), 'config.json')) })),
  read(folder) {
    const found = readConfig(join(folder, 'config.json'))
    // What a config announces must be bounded before anything is done for each layer of it.
    if (found.layers.length > 100_000) throw new Error(`${found.layers.length} layers`)
  },
}

const opened: FixtureName[] = ['llama_gqa', 'qwen2_bias_tied', 'phi3_fused', 'secateur_ragged']

export const checkpoint: Target = {
  name: 'checkpoint',
  seeds: () => opened.map((name) => filesIn(fixtureModel(name))),
  read(folder) {
    using found = openCheckpoint(folder)
    for (const { name } of tensorsOf(found.config)) found.read(name)
  },
}

const keys: Key[] = [
  ['general.architecture', 'string', 'llama'],
  ['llama.block_count', 'uint32', 1],
  ['llama.embedding_length', 'uint32', 32],
  ['llama.rope.freq_base', 'float32', 10_000],
  ['tokenizer.ggml.tokens', ['string'], ['<s>', 'a', 'b']],
  ['tokenizer.ggml.scores', ['float32'], [0, -1, -2]],
]

export const gguf: Target = {
  name: 'gguf',
  seeds: () => [
    {
      'a.gguf': ggufBytes({
        keys,
        tensors: [
          { name: 'token_embd.weight', type: 'Q8_0', shape: [3, 32] },
          { name: 'output_norm.weight', shape: [32] },
        ],
      }),
    },
    { 'a.gguf': ggufBytes({ keys }) },
  ],
  read(folder) {
    const model = openGguf(join(folder, 'a.gguf'))
    try {
      for (const { tensor, file } of model.tensors.values()) {
        // Whoever reads weights asks this first, and refuses what is not read by name.
        dequantisedType(tensor.type, file.path, tensor.name)
        const bytes = new Uint8Array(tensor.end - tensor.begin)
        file.readAt(bytes, tensor.begin)
        dequantise(tensor.type, bytes)
      }
    } finally {
      for (const file of model.files) file.close()
    }
  },
}
