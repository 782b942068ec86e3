import { toFloat32 } from '../../../engine/checkpoint/dtype.ts'
import { tensorTypes } from '../../../engine/checkpoint/gguf/types.ts'
import type { Checkpoint } from '../../../engine/models/checkpoint.ts'
import type { DecoderConfig } from '../../../engine/models/decoder-config.ts'
import { ggufTensors, ggufTraitsOf, rowsToGguf } from '../../../engine/models/gguf.ts'
import { rotaryFrequencies } from '../../../engine/ops/rotary.ts'
import { ggufBytes, type Key, type Tensor } from '../checkpoint/gguf/bytes.ts'

/** The keys and tensors of a checkpoint as llama.cpp's converter would write them, in float32. */
export function ggufParts(checkpoint: Checkpoint): { keys: Key[]; tensors: Tensor[] } {
  const config = checkpoint.config as DecoderConfig
  const traits = ggufTraitsOf(config, checkpoint.folder)
  const ragged = config.layers.some(({ channels }) => channels !== config.layers[0]!.channels)
  const architecture = ragged ? 'deci' : traits.architecture
  const key = (name: string, type: 'uint32' | 'float32', value: number): Key => [`${architecture}.${name}`, type, value]
  const counts = (name: string, values: number[]): Key =>
    ragged ? [`${architecture}.${name}`, ['int32'], values] : key(name, 'uint32', values[0]!)
  const { slidingWindow, ropeScaling, slidingRopeTheta, eosIds } = config
  const keys: Key[] = [
    ['general.architecture', 'string', architecture],
    key('context_length', 'uint32', config.maxPositions),
    key('embedding_length', 'uint32', config.hiddenSize),
    key('block_count', 'uint32', config.layers.length),
    counts(
      'feed_forward_length',
      config.layers.map(({ channels }) => channels),
    ),
    counts(
      'attention.head_count',
      config.layers.map(({ heads }) => heads),
    ),
    counts(
      'attention.head_count_kv',
      config.layers.map(({ keyValueHeads }) => keyValueHeads),
    ),
    key('attention.key_length', 'uint32', config.headSize),
    key('attention.layer_norm_rms_epsilon', 'float32', config.normEpsilon),
    key('rope.freq_base', 'float32', config.ropeTheta),
    ...(slidingWindow === null ? [] : [key('attention.sliding_window', 'uint32', slidingWindow)]),
    ...(slidingRopeTheta === null
      ? []
      : [
          key('rope.freq_base_swa', 'float32', slidingRopeTheta),
          key(
            'attention.sliding_window_pattern',
            'uint32',
            1 + config.layers.findIndex((layer) => !layer.attention!.sliding),
          ),
        ]),
    ...(config.bosId === null ? [] : [['tokenizer.ggml.bos_token_id', 'uint32', config.bosId] as const]),
    ...eosIds.map((id, index) => [`tokenizer.ggml.${['eos', 'eot', 'eom'][index]!}_token_id`, 'uint32', id] as const),
  ]
  const tensors = ggufTensors(config, checkpoint.folder).map(({ name, spec, headRows, added }): Tensor => {
    const values = toFloat32(checkpoint.read(spec.name)).map((value) => value + added)
    const bytes = new Uint8Array(values.buffer)
    return { name, shape: spec.shape, data: headRows === null ? bytes : rowsToGguf(bytes, spec.shape[0]!, headRows) }
  })
  if (ropeScaling?.type === 'llama3') {
    const scaled = rotaryFrequencies(config.headSize, config.ropeTheta, ropeScaling)
    const plain = rotaryFrequencies(config.headSize, config.ropeTheta, null)
    const factors = Float32Array.from(plain, (frequency, i) => frequency / scaled[i]!)
    tensors.push({ name: 'rope_freqs.weight', shape: [factors.length], data: new Uint8Array(factors.buffer) })
  }
  return { keys, tensors }
}

export const ggufOf = (checkpoint: Checkpoint): Buffer => ggufBytes(ggufParts(checkpoint))

/** The same with other tensors, of which `change` returns null for those that are left as they are. */
export const changed = (tensors: readonly Tensor[], change: (tensor: Tensor) => Tensor | null): Tensor[] =>
  tensors.map((tensor) => change(tensor) ?? tensor)

/** Bytes of so many blocks of a type, all of them the same. */
export function blocksOf(type: 'Q8_0' | 'Q4_0', weights: number, half: number): Uint8Array {
  const { bytes, weights: inBlock } = tensorTypes[type]
  const block = new Uint8Array(bytes).map((_, index) => index * 7)
  block.set(new Uint8Array(Float16Array.of(half).buffer))
  return new Uint8Array(Buffer.concat(Array.from({ length: weights / inBlock }, () => block)))
}
