import { side } from './draw.ts'
import { shapes } from './shapes.ts'

/** How the sample of images is made: its seed, its architecture (a ViT's `config.json`), its images and its training. */

export const visionSeed = 20_261_127

export const model = {
  architectures: ['ViTForImageClassification'],
  model_type: 'vit',
  hidden_size: 96,
  intermediate_size: 288,
  num_hidden_layers: 5,
  num_attention_heads: 6,
  image_size: side,
  patch_size: 8,
  num_channels: 3,
  qkv_bias: true,
  hidden_act: 'gelu',
  hidden_dropout_prob: 0,
  attention_probs_dropout_prob: 0,
  layer_norm_eps: 1e-6,
  initializer_range: 0.02,
  id2label: Object.fromEntries(shapes.map(({ name }, i) => [String(i), name])),
  label2id: Object.fromEntries(shapes.map(({ name }, i) => [name, i])),
} as const

/** All weights are trained, on images of which none is shipped; half of them are mirrored. Decay applies to matrices only. */
export const training = {
  /** Images of every class. */
  images: 1200,
  rowsPerStep: 64,
  steps: 2600,
  learningRate: 1.5e-3,
  warmupRatio: 0.1,
  maxGradientNorm: 1,
  initializerRange: model.initializer_range,
  beta1: 0.9,
  beta2: 0.98,
  epsilon: 1e-8,
  weightDecay: 0.05,
} as const

/** Images of every class that stand in `resources/sample-vit`: to heal a pruned model with, and to score it on. */
export const files = { train: 50, test: 25 } as const
