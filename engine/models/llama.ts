import { decoder } from './decoder.ts'

/** Llama 1 to 3. */
export const llama = decoder({
  name: 'llama',
  architecture: 'LlamaForCausalLM',
  defaults: { maxPositions: 2048, headSize: null, bos: 1, eos: 2 },
  hasBiasFields: true,
  headCounts: 'divide-hidden',
  gguf: {
    architecture: 'llama',
    perLayer: 'deci',
    neighbours: true,
    biases: ['q', 'k', 'v', 'o', 'gate', 'up', 'down'],
    ropeFactors: true,
  },
  read: ({ attention_bias: attention, mlp_bias: feedForward }) => ({
    bias: { queryKeyValue: attention ?? false, output: attention ?? false, feedForward: feedForward ?? false },
  }),
  write: ({ bias }) => {
    if (bias.queryKeyValue !== bias.output)
      throw new Error(`config.json of llama cannot say which layers have a bias: ${JSON.stringify(bias)}`)
    return { attention_bias: bias.output, mlp_bias: bias.feedForward }
  },
})
