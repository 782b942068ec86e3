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
    title: 'Training length',
    settings: {
      steps: {
        unit: 'steps',
        also: 'max_steps iterations',
        sentence: 'Optimiser steps; left empty, the epochs say how many.',
      },
      epochs: { unit: 'epochs', also: 'num_train_epochs passes' },
      maxDocuments: { unit: 'documents', also: 'max_train_samples subset' },
      saveEvery: { label: 'Save every', unit: 'steps', also: 'save_steps state checkpoint interval' },
      seed: { also: 'random' },
    },
  },
  {
    name: 'validation',
    title: 'Validation',
    settings: {
      validation: {
        label: 'Validation data',
        also: 'held-out eval dataset split',
        sentence:
          'What the loss is measured on beside the training: a file, a fraction of the rows of the data (0.05), or a number of them (1000). Rows are drawn by the seed and held out of the training.',
      },
      validationEvery: { label: 'Validate every', unit: 'steps', also: 'eval_steps' },
      keepBest: { label: 'Keep the best step', also: 'load_best_model_at_end early stopping' },
    },
  },
  {
    name: 'data',
    title: 'Data and batches',
    settings: {
      field: { label: 'Text field', also: 'column dataset_text_field' },
      trainOn: { label: 'Loss on', also: 'completion_only_loss assistant_only_loss train_on_inputs mask prompt' },
      packing: { also: 'padding concatenate' },
      badRows: { label: 'Bad rows' },
      maxLostRows: { label: 'Rows that may be lost', unit: fraction },
      sequenceLength: { unit: 'tokens', also: 'context length max_seq_length cutoff_len block_size' },
      batchSize: { label: 'Micro-batch size', unit: 'sequences', also: 'batch size per_device_train_batch_size' },
      gradientAccumulation: {
        label: 'Gradient accumulation steps',
        unit: 'micro-batches',
        also: 'effective batch size global batch',
      },
      augmentation: { label: 'Augmentation', also: 'crop flip images' },
      imageSize: {
        label: 'Image size',
        unit: 'pixels',
        sentence: 'Models of images: edge of the images; left empty, the size that the model was made for.',
      },
    },
  },
  {
    name: 'teacher',
    title: 'Distillation',
    settings: {
      distil: {
        label: 'Distillation weight',
        unit: fraction,
        also: 'knowledge distillation KD teacher share mu loss',
      },
      teacher: {
        browse: 'folder',
        label: 'Teacher checkpoint',
        sentence:
          'Folder or file of a checkpoint with the same tokenizer, or the same classes; left empty, the dense model.',
      },
      distilTemperature: { label: 'Distillation temperature' },
      distilHidden: { label: 'Hidden-state loss weight' },
      distilCache: { label: 'Teacher top-k cache', unit: 'tokens', also: 'logits on disk' },
      selfData: {
        label: 'Self-generated rows',
        also: 'self-data distillation synthetic',
        unit: 'rows',
        sentence:
          'Rows of training text that the dense model writes before the training, from prompts drawn from the data: its own answers, or continuations of texts; 0: none.',
      },
      selfDataUse: { label: 'Use of self-generated rows' },
      selfDataTokens: { label: 'Max new tokens of a row', unit: 'tokens' },
      selfDataPrompt: { label: 'Prompt of a row', unit: 'tokens' },
      selfDataTemperature: { label: 'Sampling temperature of rows' },
      selfDataTopP: { label: 'Top-p of rows', unit: fraction },
    },
  },
  {
    name: 'optimiser',
    title: 'Optimiser',
    settings: {
      learningRate: { also: 'lr step size' },
      warmupRatio: { label: 'Warm-up ratio', unit: fraction, also: 'warmup_ratio warmup steps' },
      learningRateSchedule: { also: 'lr_scheduler_type decay cosine linear' },
      weightDecay: {},
      maxGradientNorm: {
        label: 'Gradient clipping',
        also: 'max_grad_norm clip',
        sentence: 'Largest norm of all gradients together; 0 clips nothing.',
      },
      beta1: { label: 'AdamW beta 1' },
      beta2: { label: 'AdamW beta 2' },
      epsilon: { label: 'AdamW epsilon' },
    },
  },
  {
    name: 'adapter',
    title: 'LoRA adapter',
    settings: {
      rank: { also: 'lora_r r' },
      alpha: { also: 'lora_alpha scaling' },
      dropout: { unit: fraction, also: 'lora_dropout' },
      rankStabilised: { label: 'Rank-stabilised (rsLoRA)' },
      targetModules: { also: 'target_modules projections' },
      trainClassifier: { label: 'Train the classifier' },
    },
  },
  {
    name: 'samples',
    title: 'Samples while training',
    settings: {
      sampleEvery: { label: 'Sample every', unit: 'steps' },
      samplePrompts: { label: 'Generation prompts', sentence: 'Prompts that samples continue, one in each line.' },
      sampleTokens: { label: 'Max new tokens of a sample', unit: 'tokens' },
    },
  },
  {
    name: 'evaluation',
    title: 'Evaluation',
    settings: {
      evaluateDense: { label: 'Score the dense checkpoint first' },
      'evaluation.images': {
        browse: 'folder',
        label: 'Labelled images',
        sentence:
          'For a model of images: a folder with a folder of images for each class, CUB-200-2011, or a list of VTAB.',
      },
      'evaluation.badImages': {
        label: 'Broken images',
        sentence: 'Whether images that cannot be read stop the evaluation, or are left out and named.',
      },
      'evaluation.mode': { label: 'lm-eval version', also: 'harness' },
      'evaluation.limit': { label: 'Limit of rows a task', unit: 'rows', also: 'subset samples' },
      'evaluation.fewShot': { label: 'Few-shot examples', unit: 'examples', also: 'num_fewshot shots k-shot' },
      'evaluation.window': { label: 'Perplexity window', unit: 'tokens' },
      'evaluation.maxWindows': { label: 'Max perplexity windows', unit: 'windows' },
      'evaluation.latency': { label: 'Measure speed', also: 'latency throughput tokens per second benchmark' },
      'evaluation.latencyLengths': {
        label: 'Prompt lengths',
        sentence: 'Tokens in the prompts that speed is measured at, one number a line; left empty, 128.',
      },
      'evaluation.prompts': {
        label: 'Prompts to continue',
        also: 'generation prompts examples',
        sentence: 'Prompts that the scored checkpoint continues, as examples, one a line.',
      },
      'evaluation.maxNewTokens': { label: 'Max new tokens', unit: 'tokens', also: 'max_new_tokens generation length' },
      'evaluation.runner': {
        label: 'Speed and examples on',
        also: 'runner engine llama.cpp',
        sentence:
          'What speed is measured on and what continues prompts. Automatic: llama.cpp where it can run the checkpoint, or else Secateur.',
      },
      'evaluation.runnerType': {
        label: 'Type on llama.cpp',
        also: 'gguf quantisation f16 q8_0 q4_k_m',
        sentence: 'How llama.cpp holds the weights then; left empty, F16, and of a GGUF file what it holds.',
      },
      'evaluation.batchTokens': { label: 'Evaluation batch size', unit: 'tokens' },
      'evaluation.predictions': { label: 'Per-example predictions', also: 'log_samples file' },
      'evaluation.lmEvalJson': { label: 'Results file for lm-evaluation-harness' },
    },
  },
  {
    name: 'output',
    title: 'Output',
    settings: {
      outputDtype: { label: 'Output dtype', also: 'precision float16 bfloat16 torch_dtype' },
      mergeInto: {
        label: 'Merge LoRA adapter into',
        also: 'base model weights',
        sentence:
          'Where frozen weights are held in 8 bits: the weights that the adapter is merged into, the original ones, or those in 8 bits that it was trained over, so that what is written computes what was trained.',
      },
    },
  },
  {
    name: 'machine',
    title: 'Hardware',
    settings: {
      device: { also: 'GPU CPU CUDA WebGPU graphics card backend' },
      threads: { unit: 'threads', also: 'cores', sentence: 'Threads of one operator; left empty, all cores are used.' },
      gradientCheckpointing: { also: 'activation checkpointing recompute memory' },
      int8: {
        label: '8-bit base weights',
        also: 'int8 load_in_8bit quantised memory frozen',
        sentence:
          'Holds the frozen weights in 8 bits, in about half of the memory of 16. Training and scores see them rounded; “Merge LoRA adapter into” says whether what is written does.',
      },
    },
  },
]
