import { decoder } from './decoder.ts'
import { commonWindow, commonWindowFields } from './decoder-config.ts'

/** Qwen 2 and 2.5: queries, keys and values have a bias. */
export const qwen2 = decoder({
  name: 'qwen2',
  architecture: 'Qwen2ForCausalLM',
  defaults: { maxPositions: 32_768, headSize: null, bos: null, eos: null },
  gguf: {
    architecture: 'qwen2',
    perLayer: null,
    neighbours: false,
    biases: ['q', 'k', 'v'],
    headsFillHidden: true,
  },
  read: (fields, file) => ({
    slidingWindow: commonWindow(fields, 4096, file),
    bias: { queryKeyValue: true, output: false, feedForward: false },
  }),
  write: commonWindowFields,
})

/** Qwen 3: query and key heads are normed. */
export const qwen3 = decoder({
  name: 'qwen3',
  architecture: 'Qwen3ForCausalLM',
  defaults: { maxPositions: 32_768, headSize: 128, bos: null, eos: null },
  gguf: { architecture: 'qwen3', perLayer: null, neighbours: false, biases: [] },
  read: (fields, file) => {
    const attention = fields.attention_bias ?? false
    return {
      slidingWindow: commonWindow(fields, 4096, file),
      bias: { queryKeyValue: attention, output: attention, feedForward: false },
      queryKeyNorm: true,
    }
  },
  write: (config) => ({ attention_bias: config.bias.output, ...commonWindowFields(config) }),
})
