import { z } from 'zod'
import { badFile } from '../shared/errors.ts'
import { parseAs } from '../shared/files.ts'
import { decoder } from './decoder.ts'
import { layerType } from './decoder-config.ts'

const flag = z.union([z.literal(0), z.literal(1)])
const smolSchema = z.looseObject({
  /** 1 for a layer that rotates by positions, 0 for one that does not. */
  no_rope_layers: z.array(flag).nullish(),
  no_rope_layer_interval: z.int().min(1).nullish(),
})

/** SmolLM3: a Llama of which every fourth layer is not told positions (NoPE, arXiv 2305.19466). */
export const smollm3 = decoder({
  name: 'smollm3',
  architecture: 'SmolLM3ForCausalLM',
  defaults: { maxPositions: 32_768, headSize: null, tiedEmbeddings: true, ropeTheta: 2e6, bos: 128_000, eos: 128_001 },
  hasBiasFields: true,
  gguf: {
    architecture: 'smollm3',
    perLayer: null,
    neighbours: true,
    biases: ['q', 'k', 'v', 'o', 'gate', 'up', 'down'],
    unrotatedEvery: 4,
  },
  read: (fields, file) => {
    const { no_rope_layers: given, no_rope_layer_interval: interval } = parseAs(smolSchema, fields, file)
    const count = fields.num_hidden_layers
    if (given && given.length !== count)
      throw badFile(file, 'no_rope_layers', `has ${given.length} entries; num_hidden_layers is ${count}`)
    const rotates = given ?? Array.from({ length: count }, (_, layer) => ((layer + 1) % (interval ?? 4) === 0 ? 0 : 1))
    const window = (fields.use_sliding_window ?? false) ? (fields.sliding_window ?? null) : null
    const bias = fields.attention_bias ?? false
    return {
      slidingWindow: window,
      bias: { queryKeyValue: bias, output: bias, feedForward: fields.mlp_bias ?? false },
      attention: rotates.map((rotary, layer) => ({
        rotary: rotary === 1,
        sliding: window !== null && (fields.layer_types?.[layer] ?? layerType(rotary === 0)) === layerType(true),
      })),
    }
  },
  write: ({ bias, slidingWindow, layers }) => ({
    attention_bias: bias.output,
    mlp_bias: bias.feedForward,
    sliding_window: slidingWindow,
    use_sliding_window: slidingWindow !== null,
    layer_types: layers.map(({ attention }) => layerType(attention!.sliding)),
    no_rope_layers: layers.map(({ attention }) => (attention!.rotary ? 1 : 0)),
  }),
})
