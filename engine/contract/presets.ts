import { z } from 'zod'

export const presetName = z.enum(['recommended', 'paper', 'quick', 'overnight'])
export type PresetName = z.infer<typeof presetName>

/** Settings to start from, for the command line (`--preset`) and the app. */
export interface Preset {
  readonly title: string
  /** What it is for, and what follows from it. */
  readonly sentence: string
  /** Whether it says how to prune, and nothing to other kinds of jobs. */
  readonly prunes?: true
  /** Settings by their dotted path in a job; a kind of job takes those that it has. */
  readonly values: PresetValues
  /** What it is for where the model looks at images, and what is other than in `values` then. */
  readonly ofImages: { readonly sentence: string; readonly values: PresetValues }
}
type PresetValues = Readonly<Record<string, string | number | boolean | readonly string[]>>

/** Ours, in the order in which they are offered. docs/paper.md says where each setting of `paper` is from. */
export const presets: Readonly<Record<PresetName, Preset>> = {
  recommended: {
    title: 'Recommended',
    sentence:
      'Keeps 80% of the parameters, with the same counts in every layer so that other programs load the result, and distils from the dense model. What to start from for a model to use. Where Secateur or llama.cpp will run it, leave uniform layers off: a real model then loses less.',
    prunes: true,
    values: { budget: 'parameters=0.8', uniform: true, distil: 1 },
    ofImages: {
      sentence:
        'Keeps 80% of the parameters and distils from the dense model, with a tenth of the images held out for curves of loss and top-1. Not compared with other settings on images yet.',
      values: { uniform: false, batchSize: 16, learningRate: 1e-3, validation: 0.1, validationEvery: 50 },
    },
  },
  paper: {
    title: "The paper's settings",
    sentence:
      "As LoRAPrune's published code is run: ratio 0.5, batches of 128 sequences of 512 tokens, two epochs of 25,000 documents. Layers end up with different sizes: transformers, PEFT, vLLM and llama.cpp's converter do not load the result; Secateur does.",
    values: {
      trainOn: 'everything',
      packing: 'pad',
      sequenceLength: 512,
      batchSize: 2,
      gradientAccumulation: 64,
      maxDocuments: 25_000,
      epochs: 2,
      validation: 1000,
      validationEvery: 100,
      keepBest: false,
      distil: 0,
      saveEvery: 100,
      learningRate: 1e-4,
      warmupRatio: 0,
      learningRateSchedule: 'linear',
      weightDecay: 0,
      maxGradientNorm: 1,
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      rank: 8,
      alpha: 16,
      dropout: 0.05,
      rankStabilised: false,
      targetModules: ['q', 'k', 'v', 'o', 'gate', 'up', 'down'],
      int8: false,
      criterion: 'loraprune',
      lambda: 0.9,
      power: 1,
      normalise: 'module',
      reduction: 'sum',
      schedule: 'iterative',
      healing: true,
      ratio: 0.5,
      ratioOf: 'groups',
      frequency: 10,
      rounding: 'down',
      pruneWarmup: 0.1,
      pruneCooldown: 0.1,
      ranking: 'local',
      uniform: false,
      protectFirst: 0.1,
      protectLast: 1,
      channelMultiple: 1,
      'evaluation.mode': 'legacy',
      'evaluation.window': 512,
    },
    ofImages: {
      sentence:
        "As LoRAPrune's published code is run for language models, as far as that applies to images: ratio 0.5, batches of 128, two epochs. Layers end up with different sizes: transformers does not load the result; Secateur does.",
      values: { batchSize: 32, gradientAccumulation: 4, validation: 0.1 },
    },
  },
  quick: {
    title: 'Quick look',
    sentence: 'A few minutes: 60 short steps and a part of each task. Enough to see that everything works.',
    values: {
      steps: 60,
      sequenceLength: 128,
      maxDocuments: 2000,
      frequency: 5,
      saveEvery: 20,
      sampleEvery: 20,
      samplePrompts: ['Once upon a time'],
      'evaluation.limit': 50,
      'evaluation.maxWindows': 20,
    },
    ofImages: {
      sentence:
        'A few minutes: 60 steps of 16 images, a tenth of the images held out for curves of loss and top-1. Enough to see that everything works.',
      values: { batchSize: 16, learningRate: 1e-3, validation: 0.1, validationEvery: 10 },
    },
  },
  overnight: {
    title: 'Overnight',
    sentence: 'Three epochs of up to 50,000 documents with large batches, samples on the way, and every row scored.',
    values: {
      sequenceLength: 512,
      batchSize: 4,
      gradientAccumulation: 16,
      epochs: 3,
      maxDocuments: 50_000,
      saveEvery: 100,
      sampleEvery: 200,
      samplePrompts: ['Once upon a time'],
      'evaluation.latency': true,
    },
    ofImages: {
      sentence:
        'Ten epochs of up to 50,000 images in large batches, cropped and mirrored at random, a twentieth of them held out for curves of loss and top-1.',
      values: {
        batchSize: 32,
        gradientAccumulation: 4,
        epochs: 10,
        learningRate: 1e-3,
        augmentation: 'crop-and-flip',
        validation: 0.05,
      },
    },
  },
}

/**
 * Settings of presets that speak of text, and the limit of rows, which takes the images of the first classes alone: for a
 * model of images a preset goes without them.
 */
const ofText: readonly string[] = [
  'trainOn',
  'packing',
  'sequenceLength',
  'sampleEvery',
  'samplePrompts',
  'evaluation.latency',
  'evaluation.limit',
  'evaluation.maxWindows',
  'evaluation.mode',
  'evaluation.window',
]

/** Presets for a kind of job, by its schema's shape. */
export const presetsOf = (shape: object): PresetName[] =>
  presetName.options.filter((name) => !presets[name].prunes || Object.hasOwn(shape, 'criterion'))

/** All settings of a preset, for a model of text or of images. */
export function presetValues(name: PresetName, ofImages: boolean): PresetValues {
  const { values, ofImages: other } = presets[name]
  if (!ofImages) return values
  const fitting = Object.entries(values).filter(([key]) => !ofText.includes(key))
  return { ...Object.fromEntries(fitting), ...other.values }
}

/**
 * Those of a preset's settings that a job of a shape has, with those of its evaluation apart.
 *
 * @param ofImages whether the job's model looks at images
 */
export function presetFor(
  name: PresetName,
  shape: object,
  ofImages = false,
): { settings: Record<string, unknown>; evaluation: Record<string, unknown> } {
  const settings: Record<string, unknown> = {}
  const evaluation: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(presetValues(name, ofImages)))
    if (key.startsWith('evaluation.')) evaluation[key.slice('evaluation.'.length)] = value
    else if (Object.hasOwn(shape, key)) settings[key] = value
  return { settings, evaluation: Object.hasOwn(shape, 'evaluation') ? evaluation : {} }
}
