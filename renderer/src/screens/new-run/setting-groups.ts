import { pruningGroups } from './pruning-groups.ts'
import type { SettingGroup } from './setting-group.ts'

const fraction = 'fraction'

/**
 * How the settings of a job are shown: their order, groups, labels and units. What a setting means, its default and its
 * range come from the job's schema alone; a setting that is new there and not named here appears under "Other settings".
 */
export const groups: readonly SettingGroup[] = [
  ...pruningGroups,
  {
    name: 'length',
    title: 'How long it trains',
    settings: {
      steps: { unit: 'steps', sentence: 'Optimiser steps; left empty, the epochs say how many.' },
      epochs: { unit: 'epochs' },
      maxDocuments: { unit: 'documents' },
      saveEvery: { label: 'Save every', unit: 'steps' },
      seed: {},
    },
  },
  {
    name: 'validation',
    title: 'What it is measured on meanwhile',
    settings: {
      validation: {
        label: 'Validation data',
        sentence:
          'What the loss is measured on beside the training: a file, a fraction of the rows of the data (0.05), or a number of them (1000). Rows are drawn by the seed and held out of the training.',
      },
      validationEvery: { label: 'Measure every', unit: 'steps' },
      keepBest: { label: 'Write the best step' },
    },
  },
  {
    name: 'data',
    title: 'How data are read',
    settings: {
      field: {},
      trainOn: { label: 'Loss on' },
      packing: {},
      badRows: { label: 'Bad rows' },
      maxLostRows: { label: 'Rows that may be lost', unit: fraction },
      sequenceLength: { unit: 'tokens' },
      batchSize: { unit: 'sequences' },
      gradientAccumulation: { unit: 'micro-batches' },
      augmentation: { label: 'Changes of pictures' },
      imageSize: {
        label: 'Size of pictures',
        unit: 'pixels',
        sentence: 'Models of images: edge of the pictures; left empty, the size that the model was made for.',
      },
    },
  },
  {
    name: 'teacher',
    title: 'What it learns from',
    settings: {
      distil: { label: 'Share of the teacher', unit: fraction },
      teacher: {
        label: 'Another teacher',
        sentence:
          'Folder or file of a checkpoint with the same tokenizer, or the same classes; left empty, the dense model.',
      },
      distilTemperature: { label: 'Temperature of its part' },
      distilHidden: { label: 'Weight of hidden states' },
      distilCache: { label: 'Likeliest tokens kept on disk', unit: 'tokens' },
      selfData: {
        label: 'Rows that the dense model writes',
        unit: 'rows',
        sentence:
          'Rows of training text that the dense model writes before the training, from prompts drawn from the data: its own answers, or continuations of texts; 0: none.',
      },
      selfDataUse: { label: 'They are trained on' },
      selfDataTokens: { label: 'Longest of them', unit: 'tokens' },
      selfDataPrompt: { label: 'Beginning that it continues', unit: 'tokens' },
      selfDataTemperature: { label: 'Temperature of writing' },
      selfDataTopP: { label: 'Top-p of writing', unit: fraction },
    },
  },
  {
    name: 'optimiser',
    title: 'Optimiser',
    settings: {
      learningRate: {},
      warmupRatio: { label: 'Warm-up ratio', unit: fraction },
      learningRateSchedule: {},
      weightDecay: {},
      maxGradientNorm: {},
      beta1: { label: 'AdamW beta 1' },
      beta2: { label: 'AdamW beta 2' },
      epsilon: { label: 'AdamW epsilon' },
    },
  },
  {
    name: 'adapter',
    title: 'Adapter',
    settings: {
      rank: {},
      alpha: {},
      dropout: { unit: fraction },
      rankStabilised: { label: 'Rank-stabilised (rsLoRA)' },
      targetModules: {},
      trainClassifier: { label: 'Train the classifier' },
    },
  },
  {
    name: 'samples',
    title: 'Generated samples',
    settings: {
      sampleEvery: { label: 'Sample every', unit: 'steps' },
      samplePrompts: { label: 'Prompts', sentence: 'Prompts that samples continue, one in each line.' },
      sampleTokens: { label: 'Longest sample', unit: 'tokens' },
    },
  },
  {
    name: 'evaluation',
    title: 'Evaluation',
    settings: {
      evaluateDense: { label: 'Score the dense checkpoint first' },
      'evaluation.images': {
        label: 'Labelled pictures',
        sentence:
          'For a model of images: a folder with a folder of pictures for each class, CUB-200-2011, or a list of VTAB.',
      },
      'evaluation.badImages': {
        label: 'Broken pictures',
        sentence: 'Whether pictures that cannot be read stop the evaluation, or are left out and named.',
      },
      'evaluation.mode': { label: 'Harness' },
      'evaluation.limit': { label: 'Rows of each task', unit: 'rows' },
      'evaluation.fewShot': { label: 'Few-shot examples', unit: 'examples' },
      'evaluation.window': { label: 'Perplexity window', unit: 'tokens' },
      'evaluation.maxWindows': { label: 'Max perplexity windows', unit: 'windows' },
      'evaluation.latency': { label: 'Measure speed' },
      'evaluation.latencyLengths': {
        label: 'Lengths of prompts',
        sentence: 'Tokens in the prompts that speed is measured at, one number a line; left empty, 128.',
      },
      'evaluation.prompts': {
        label: 'Prompts of examples',
        sentence: 'Prompts that the scored checkpoint continues, as examples, one a line.',
      },
      'evaluation.maxNewTokens': { unit: 'tokens' },
      'evaluation.batchTokens': { label: 'Scoring batch', unit: 'tokens' },
      'evaluation.predictions': { label: 'Predictions file' },
      'evaluation.lmEvalJson': { label: 'Results file for lm-evaluation-harness' },
    },
  },
  {
    name: 'output',
    title: 'What is written',
    settings: {
      outputDtype: {},
      mergeInto: {
        sentence:
          'Where frozen weights are held in 8 bits: the weights that the adapter is merged into, the original ones, or those in 8 bits that it was trained over, so that what is written computes what was trained.',
      },
    },
  },
  {
    name: 'machine',
    title: 'Computer',
    settings: {
      device: {},
      threads: { unit: 'threads', sentence: 'Threads of one operator; left empty, all cores are used.' },
      gradientCheckpointing: {},
      int8: {
        label: 'Frozen weights in 8 bits',
        sentence:
          'Holds the frozen weights in 8 bits, in about half of the memory of 16. Training and scores see them rounded; “Merge into” says whether what is written does.',
      },
    },
  },
]
