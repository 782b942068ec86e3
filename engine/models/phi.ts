import { decoder } from './decoder.ts'
import { windowOf } from './gguf-traits.ts'

/** Phi-3 (arXiv 2404.14219): queries, keys and values are stored as one weight, and so are gate and up. */
export const phi3 = decoder({
  name: 'phi3',
  architecture: 'Phi3ForCausalLM',
  defaults: { maxPositions: 4096, headSize: null, normEpsilon: 1e-5, bos: 1, eos: 32_000 },
  modules: {
    'self_attn.qkv_proj': ['q', 'k', 'v'],
    'self_attn.o_proj': ['o'],
    'mlp.gate_up_proj': ['gate', 'up'],
    'mlp.down_proj': ['down'],
  },
  gguf: {
    architecture: 'phi3',
    perLayer: null,
    neighbours: false,
    biases: [],
    headsFillHidden: true,
    fused: { 'q+k+v': 'attn_qkv', 'gate+up': 'ffn_up' },
    fields: (keys, architecture) => ({ sliding_window: windowOf(keys, architecture) }),
  },
  read: ({ sliding_window: window }) => ({ slidingWindow: window ?? null }),
  write: ({ slidingWindow }) => ({ sliding_window: slidingWindow }),
})
