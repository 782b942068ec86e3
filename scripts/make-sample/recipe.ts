/** How the sample is made: its seed, its architecture (a Llama `config.json`) and its training. */

export const sampleSeed = 20_240_601

export const model = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  vocab_size: 2048,
  hidden_size: 160,
  intermediate_size: 448,
  num_hidden_layers: 6,
  num_attention_heads: 8,
  num_key_value_heads: 4,
  head_dim: 20,
  hidden_act: 'silu',
  max_position_embeddings: 512,
  rms_norm_eps: 1e-5,
  rope_theta: 10_000,
  rope_scaling: null,
  attention_bias: false,
  mlp_bias: false,
  attention_dropout: 0,
  tie_word_embeddings: true,
  initializer_range: 0.02,
  unk_token_id: 0,
  pad_token_id: 0,
  bos_token_id: 1,
  eos_token_id: 2,
  torch_dtype: 'bfloat16',
  use_cache: true,
} as const

/**
 * All weights are trained. Every document stands between BOS and EOS; rows are cut from one stream of shuffled documents.
 * Weights begin normal with standard deviation `initializer_range`, those of o and down divided by sqrt(2 * layers);
 * norms begin at 1. Decay applies to matrices only.
 */
export const training = {
  documents: 40_000,
  rowLength: 128,
  rowsPerStep: 16,
  steps: 2800,
  learningRate: 2e-3,
  finalLearningRate: 1e-5,
  warmUpSteps: 100,
  schedule: 'cosine',
  beta1: 0.9,
  beta2: 0.98,
  epsilon: 1e-8,
  weightDecay: 0.05,
  maxGradientNorm: 1,
} as const

/** What stands in `resources/sample` beside the model. */
export const files = {
  questionsPerTask: 160,
  healingDocuments: 2000,
  heldOutCharacters: 60_000,
  instructions: 300,
} as const
