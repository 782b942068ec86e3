import type { SettingGroup } from './setting-group.ts'

const fraction = 'fraction'

/** Settings of a sweep, and of what leaves, when, and by which scores. */
export const pruningGroups: readonly SettingGroup[] = [
  {
    name: 'sweep',
    title: 'Sweep',
    settings: {
      parallel: {
        label: 'Runs at a time',
        also: 'parallel jobs workers',
        unit: 'runs',
        sentence: 'Each of them has its share of the threads.',
      },
      keepCheckpoints: { label: 'Keep the checkpoints' },
      dense: { label: 'Score the dense checkpoint', also: 'baseline' },
    },
  },
  {
    name: 'pruning',
    title: 'Pruning',
    settings: {
      criterion: { also: 'method importance' },
      ratio: { unit: fraction, also: 'sparsity pruning rate amount' },
      budget: {
        label: 'Budget',
        also: 'parameters memory speed in place of a ratio target',
        sentence:
          'What may be kept at most: parameters=0.7 (a share) or parameters=90M, or memory=4GB (bytes of the written weights), prompt=1.5x or generation=1.5x (how many times as fast, measured on this device). Heads, channels and whole layers are removed where that loses least importance; with uniform layers, equal numbers of them.',
        offers: [
          { value: 'parameters=0.8', label: '80% of the parameters' },
          { value: 'parameters=0.5', label: 'Half of the parameters' },
          { value: 'generation=1.5x', label: '1.5 times as fast' },
        ],
      },
      speedPrompt: { label: 'Prompt that is timed', unit: 'tokens' },
      speedTokens: { label: 'Tokens that are timed', unit: 'tokens' },
      ratioOf: { label: 'What the ratio counts' },
      targetFraction: { unit: fraction, also: 'density keep' },
      targetParameters: { unit: 'parameters' },
      prune: { label: 'Groups to prune', also: 'heads channels MLP attention structures' },
      headGroups: { label: 'Head groups', also: 'GQA key/value query heads' },
      keepUnscored: { label: 'Keep groups without scores' },
      ranking: { also: 'global local pruning' },
      uniform: {
        label: 'Uniform layers',
        also: 'same counts in every layer',
        sentence:
          'The same counts of heads and channels in every layer, so that transformers, llama.cpp and other programs load the result. The first and the last layers, which real models need most, then lose as much as the others; without it they stay whole, and GGUF files hold the result all the same. Chosen automatically: wherever groups are ranked within a layer.',
      },
      protectFirst: { unit: fraction },
      protectLast: { unit: 'layers' },
      floor: { label: 'Minimum kept per layer', unit: fraction },
      channelMultiple: {
        unit: 'channels',
        sentence:
          'Channels that stay are a multiple of this. Take 32 or 256 where a quantised export is the aim: its types store weights in blocks of so many, and where channels fill no whole blocks the export adds zeros, or takes a larger type for those weights.',
        offers: [
          { value: '32', label: '32, for Q8_0 and Q4_0' },
          { value: '256', label: '256, for Q4_K_M to Q6_K' },
        ],
      },
    },
  },
  {
    name: 'schedule',
    title: 'Pruning schedule',
    settings: {
      schedule: { also: 'iterative one-shot removal' },
      healing: { label: 'Heal by training', also: 'recovery fine-tuning' },
      frequency: { label: 'Prune every', unit: 'steps', also: 'frequency interval' },
      rounding: { label: 'Rounding of counts' },
      pruneWarmup: { label: 'Training before pruning', unit: fraction, also: 'warm-up' },
      pruneCooldown: { label: 'Training after pruning', unit: fraction, also: 'cool-down recovery' },
    },
  },
  {
    name: 'importance',
    title: 'Importance',
    settings: {
      lambda: { label: 'Importance EMA (lambda)', also: 'exponential moving average momentum decay' },
      power: { also: 'taylor exponent' },
      normalise: { also: 'normalize normalisation' },
      reduction: { label: 'Sum over a group' },
      magnitudeNorm: { label: 'Magnitude: norm' },
      magnitudeWeights: { label: 'Magnitude: weights' },
      movementGradients: { label: 'Movement: gradients' },
      gradientForm: { label: 'Gradient: form' },
      biasCompensation: { label: 'FLAP: biases' },
    },
  },
  {
    name: 'calibration',
    title: 'Calibration data',
    settings: {
      calibrationData: {
        label: 'Calibration files',
        sentence: 'Texts that scoring looks at before training, one path a line; left empty, the training data.',
      },
      calibrationShares: {
        label: 'Mixing weights',
        also: 'proportions calibration',
        sentence: 'Parts of the calibration samples that come from each text, one number a line; left empty, equal.',
      },
      calibrationSamples: { unit: 'samples' },
      calibrationSequenceLength: {
        unit: 'tokens',
        sentence: 'Tokens in a sample of calibration text; left empty, as in training.',
      },
    },
  },
]
