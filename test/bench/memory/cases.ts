import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SizeName } from './models.ts'

const sample = join(import.meta.dirname, '../../../resources/sample')
const data = join(sample, 'train.jsonl')
const text = join(sample, 'heldout.txt')

/** How a checkpoint is stored, and whether its weights are then held in 8 bits. */
export const precisions = {
  float32: { dtype: 'float32', int8: false },
  float16: { dtype: 'float16', int8: false },
  bfloat16: { dtype: 'bfloat16', int8: false },
  int8: { dtype: 'float16', int8: true },
} as const
export type Precision = keyof typeof precisions
export const precisionNames = Object.keys(precisions) as Precision[]

/** Sequences and tokens of each. */
export const batches = {
  '1 x 64': { rows: 1, length: 64 },
  '4 x 256': { rows: 4, length: 256 },
} as const
export type BatchName = keyof typeof batches
export const batchNames = Object.keys(batches) as BatchName[]

interface Batch {
  rows: number
  length: number
}

interface Job {
  /** Whether it can hold weights in 8 bits. */
  takesInt8: boolean
  /** Whether it has an output folder. */
  writes: boolean
  args: (batch: Batch) => string[]
}

const flags = (line: string) => line.split(' ')
const sizes = ({ rows, length }: Batch) => flags(`--batch-size ${rows} --sequence-length ${length}`)
const training = (batch: Batch) => [...flags('--steps 2 --max-documents 150 --data'), data, ...sizes(batch)]
const prune = (batch: Batch, more = '') => [
  'prune',
  ...training(batch),
  ...flags(`--frequency 1 --ratio 0.5 --calibration-samples ${4 * batch.rows}${more}`),
]

const jobs = {
  prune: { takesInt8: true, writes: true, args: (batch) => prune(batch) },
  'prune, blocks again': {
    takesInt8: true,
    writes: true,
    args: (batch) => prune(batch, ' --gradient-checkpointing on'),
  },
  'prune, distil': { takesInt8: true, writes: true, args: (batch) => prune(batch, ' --distil 0.5') },
  'prune, distil and blocks again': {
    takesInt8: true,
    writes: true,
    args: (batch) => prune(batch, ' --distil 0.5 --gradient-checkpointing on'),
  },
  'prune, gradient': { takesInt8: true, writes: true, args: (batch) => prune(batch, ' --criterion gradient') },
  finetune: { takesInt8: true, writes: true, args: (batch) => ['finetune', ...training(batch)] },
  evaluate: {
    takesInt8: false,
    writes: false,
    args: ({ rows, length }) => [
      'eval',
      '--perplexity',
      `text=${text}`,
      ...flags(`--window ${length} --max-windows ${3 * rows} --batch-tokens ${rows * length}`),
    ],
  },
  generate: {
    takesInt8: false,
    writes: false,
    // A prompt is one sequence: some four letters a token, and the sample's model reads at most 512 tokens.
    args: ({ length }) => [
      'generate',
      '--prompt',
      readFileSync(text, 'utf8').slice(0, 4 * length),
      ...flags('--max-new-tokens 8'),
    ],
  },
  measure: {
    takesInt8: false,
    writes: false,
    args: (batch) => [
      'measure',
      '--data',
      data,
      ...sizes(batch),
      ...flags(`--max-documents 150 --calibration-samples ${2 * batch.rows}`),
    ],
  },
} satisfies Record<string, Job>

/** What has no batch is measured once. */
const withoutBatch = ['merge', 'export'] as const
const hasNoBatch = (job: JobName): job is (typeof withoutBatch)[number] => withoutBatch.some((name) => name === job)
export const jobNames = [...Object.keys(jobs), ...withoutBatch] as (keyof typeof jobs | (typeof withoutBatch)[number])[]
export type JobName = (typeof jobNames)[number]

/** One run of the engine. */
export interface Case {
  model: SizeName | 'sample'
  precision: Precision
  job: JobName
  batch: BatchName | null
}

/** What is tried of a model in a precision; the variants of pruning in float16 alone. */
export function casesOf(model: Case['model'], precision: Precision, wanted: readonly JobName[]): Case[] {
  // The sample is stored in bfloat16.
  if (model === 'sample' && precision !== 'bfloat16' && precision !== 'int8') return []
  return wanted.flatMap((job): Case[] => {
    if (hasNoBatch(job)) return precisions[precision].int8 ? [] : [{ model, precision, job, batch: null }]
    if (precisions[precision].int8 && !jobs[job].takesInt8) return []
    if (job.includes(',') && precision !== 'float16') return []
    return batchNames.map((batch) => ({ model, precision, job, batch }))
  })
}

/** Folders that a case reads and writes. */
export interface Folders {
  checkpoint: string
  adapter: string
  out: string
}

/** The command line of a case. */
export function argumentsOf({ precision, job, batch }: Case, { checkpoint, adapter, out }: Folders): string[] {
  if (job === 'merge') return ['merge', checkpoint, adapter, '--out', out]
  if (job === 'export') return ['export', checkpoint, '--format', 'gguf', '--out', join(out, 'model.gguf')]
  const { writes, args } = jobs[job]
  const [command, ...rest] = args(batches[batch ?? '1 x 64'])
  const int8 = precisions[precision].int8 ? ['--int8'] : []
  return [command!, checkpoint, ...rest, ...int8, ...(writes ? ['--out', out] : [])]
}
