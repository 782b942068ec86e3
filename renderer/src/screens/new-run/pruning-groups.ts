import type { SettingGroup } from './setting-group.ts'

const fraction = 'fraction'

/** Settings of a sweep, and of what leaves, when, and by which scores. */
export const pruningGroups: readonly SettingGroup[] = [
  {
    name: 'sweep',
    title: 'How the sweep runs',
    settings: {
      parallel: { label: 'Runs at a time', unit: 'runs', sentence: 'Each of them has its share of the threads.' },
      keepCheckpoints: { label: 'Keep the checkpoints' },
      dense: { label: 'Score the dense checkpoint' },
    },
  },
  {
    name: 'pruning',
    title: 'What is pruned',
    settings: {
      criterion: {},
      ratio: { unit: fraction },
      budget: {
        label: 'Budget in place of a ratio',
        sentence:
          'What may be kept at most: parameters=0.7 (a share) or parameters=90M, or memory=4GB (bytes of the written weights), prompt=1.5x or generation=1.5x (how many times as fast, measured on this device). Heads, channels and whole layers leave wherever least importance is lost for it; with the same counts in every layer, equal numbers leave.',
      },
      speedPrompt: { label: 'Prompt that is timed', unit: 'tokens' },
      speedTokens: { label: 'Tokens that are timed', unit: 'tokens' },
      ratioOf: { label: 'What the ratio counts' },
      targetFraction: { unit: fraction },
      targetParameters: { unit: 'parameters' },
      prune: { label: 'What may leave' },
      headGroups: { label: 'Head groups' },
      keepUnscored: { label: 'Keep what cannot be scored' },
      ranking: {},
      uniform: { label: 'Same counts in every layer' },
      protectFirst: { unit: fraction },
      protectLast: { unit: 'layers' },
      floor: { label: 'Kept in every layer', unit: fraction },
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
    title: 'When it is pruned',
    settings: {
      schedule: { label: 'Removal' },
      healing: { label: 'Heal by training' },
      frequency: { unit: 'steps' },
      rounding: { label: 'Groups gone on the way' },
      pruneWarmup: { label: 'Before pruning', unit: fraction },
      pruneCooldown: { label: 'After pruning', unit: fraction },
    },
  },
  {
    name: 'importance',
    title: 'How importance is scored',
    settings: {
      lambda: { label: 'Moving average (lambda)' },
      power: {},
      normalise: {},
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
    title: 'What scoring looks at before training',
    settings: {
      calibrationData: {
        label: 'Calibration data',
        sentence: 'Texts that scoring looks at before training, one path a line; left empty, the training data.',
      },
      calibrationShares: {
        label: 'Their shares',
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
