import { decoder } from './decoder.ts'
import { layerType } from './decoder-config.ts'
import { windowOf } from './gguf-traits.ts'

/** Mistral 7B: all layers have the same window, or none. */
export const mistral = decoder({
  name: 'mistral',
  architecture: 'MistralForCausalLM',
  defaults: { maxPositions: 131_072, headSize: null, bos: 1, eos: 2 },
  gguf: {
    architecture: 'llama',
    perLayer: 'deci',
    neighbours: true,
    biases: ['q', 'k', 'v', 'o', 'gate', 'up', 'down'],
    ropeFactors: true,
    claims: (keys, architecture) => windowOf(keys, architecture) !== null,
    fields: (keys, architecture) => ({ sliding_window: windowOf(keys, architecture) }),
  },
  read: ({ sliding_window: window }) => ({ slidingWindow: window === undefined ? 4096 : window }),
  write: ({ slidingWindow, layers, source }) => ({
    sliding_window: slidingWindow,
    ...(source.layer_types ? { layer_types: layers.map(() => layerType(slidingWindow !== null)) } : {}),
  }),
})
