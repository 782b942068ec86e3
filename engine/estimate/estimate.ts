import { existsSync, statfsSync } from 'node:fs'
import { freemem } from 'node:os'
import { dirname, resolve } from 'node:path'
import type { Checkpoint } from '../models/checkpoint.ts'
import { linearOf } from '../models/tensors.ts'
import type { ModelConfig } from '../models/model-config.ts'
import type { Estimate, FinetuneJob, Job, Placement, PruneJob, SweepJob } from '../contract/index.ts'
import { exportedBytes, exportMemory } from '../export/size.ts'
import { SecateurError } from '../shared/errors.ts'
import { sizeText } from '../shared/size-text.ts'
import { keepsActivations, keptFloats } from '../training/gradients.ts'
import { removalOf } from '../pruning/removal.ts'
import { estimateParameters, layersAfter, type TargetSettings } from '../pruning/targets.ts'
import { scoringBytes } from './scoring-cost.ts'

const bytesOf = { float32: 4, float16: 2, bfloat16: 2 } as const
/** Node, ONNX Runtime and the code itself, measured on an empty job. */
const programBytes = 250e6

/** The runs of a sweep are estimated one by one. */
export type SingleJob = Exclude<Job, SweepJob>

/**
 * What a job will leave and need, from headers alone.
 *
 * @param context.target what pruning removes
 * @param context.placement where a graphics card that is in use holds the weights
 */
export function estimateJob(
  job: SingleJob,
  checkpoint: Checkpoint,
  { target, placement }: { target?: TargetSettings | undefined; placement?: Placement | undefined } = {},
): Estimate {
  const { config, parameters: before, dtype } = checkpoint
  const after = target ? estimateParameters(config, target).after : before
  const stored = 'outputDtype' in job && job.outputDtype !== 'same' ? bytesOf[job.outputDtype] : bytesOf[dtype]
  const adapter = job.kind === 'finetune' || job.kind === 'prune' ? adapterSize(job, checkpoint) : 0
  const writes =
    job.kind === 'export'
      ? exportedBytes(job, checkpoint)
      : job.kind === 'evaluate' || job.kind === 'finetune'
        ? 0
        : after * stored
  return {
    parameters: { before, after },
    ...(target &&
      target.removes !== 'weights' && {
        removal: removalOf(config, target, { layers: layersAfter(config, target), parameters: after }),
      }),
    // The saved state holds values and two moments; while a new one is written the old one is still there.
    diskBytes: writes + adapter * 4 * 7,
    memoryBytes: programBytes + adapter * 20 + tensorBytes(job, checkpoint, placement),
    freeDiskBytes: 'out' in job && job.out !== undefined ? freeDisk(job.out) : freeDisk('.'),
    freeMemoryBytes: availableMemory(),
    ...(placement && { placement }),
  }
}

/** What weights, activations and scores take of the computer's memory. */
function tensorBytes(job: SingleJob, checkpoint: Checkpoint, placement: Placement | undefined): number {
  // On a card with memory of its own, all of it is there; but streamed weights in 8 bits are kept here as well.
  if (placement && !placement.sharesMemory) return 'int8' in job && job.int8 ? placement.streamedBytes : 0
  return (
    weightBytes(job, checkpoint) +
    activationBytes(job, checkpoint) +
    (job.kind === 'prune' ? scoringBytes(job, checkpoint.config) : 0)
  )
}

const adapterSize = (job: { rank: number; targetModules: string[] }, { config }: Checkpoint): number =>
  config.layers.reduce(
    (sum, _, layer) =>
      sum +
      job.targetModules.reduce((total, name) => {
        const { outputs, inputs } = linearOf(config, layer, name)
        return total + job.rank * (outputs + inputs)
      }, 0),
    0,
  )

/** Bytes of the frozen weights in the form in which a job holds them. */
export function weightBytes(job: SingleJob, { bytes, config, parameters, dtype }: Checkpoint): number {
  if (job.kind === 'merge') return 3 * 4 * config.vocabularySize * config.hiddenSize
  if (job.kind === 'export') return exportMemory(job)
  if (!('int8' in job) || !job.int8) return bytes
  const tables = (config.tiedEmbeddings ? 1 : 2) * config.vocabularySize * config.hiddenSize
  return tables * bytesOf[dtype] + (parameters - tables)
}

/** One block's values in the backward pass, every block's input, and a piece of the logits with its gradient. */
function activationBytes(job: SingleJob, { config }: Checkpoint): number {
  if (job.kind === 'merge' || job.kind === 'export') return 0
  const tokens = job.kind === 'evaluate' ? job.evaluation.batchTokens : job.batchSize * job.sequenceLength
  const length = job.kind === 'evaluate' ? Math.min(tokens, config.maxPositions) : job.sequenceLength
  const block = config.layers.reduce((most, { heads, channels }) => {
    const values = tokens * (12 * config.hiddenSize + 10 * channels + 8 * heads * config.headSize)
    const scores = 4 * tokens * length * heads
    return Math.max(most, values + scores)
  }, 0)
  const inputs = job.kind === 'evaluate' ? tokens : tokens * (config.layers.length + 1)
  const logits = 3 * Math.min(2 ** 23, tokens * config.vocabularySize)
  // Weights that are not float32 are widened one at a time.
  const widened = Math.max(...config.layers.map(({ channels }) => channels)) * config.hiddenSize
  const kept = job.kind !== 'evaluate' && keeps(job, config) ? keptFloats(config, job.batchSize, job.sequenceLength) : 0
  return 4 * (block + inputs * config.hiddenSize + logits + widened + kept)
}

/** Whether a step keeps the blocks' activations for its backward pass, rather than computing the blocks again. */
export const keeps = (job: FinetuneJob | PruneJob, config: ModelConfig): boolean =>
  job.gradientCheckpointing === 'off' ||
  (job.gradientCheckpointing === 'auto' && keepsActivations(config, job.batchSize, job.sequenceLength))

function freeDisk(path: string): number {
  let folder = resolve(path)
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder)
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}

/** Memory that can be had without swapping, within what this process may use. */
function availableMemory(): number {
  const free = process.availableMemory()
  return free > 0 ? free : freemem()
}

/** @throws SecateurError with the numbers where a job cannot fit. */
export function refuseIfTooLarge({ memoryBytes, freeMemoryBytes, diskBytes, freeDiskBytes }: Estimate): void {
  if (memoryBytes > freeMemoryBytes)
    throw new SecateurError(
      'does-not-fit',
      `this job needs about ${sizeText(memoryBytes)} of memory and ${sizeText(freeMemoryBytes)} are free: take a smaller batch size or a shorter sequence length, or hold the weights in 8 bits with --int8`,
    )
  if (diskBytes > freeDiskBytes)
    throw new SecateurError(
      'does-not-fit',
      `this job writes about ${sizeText(diskBytes)} and ${sizeText(freeDiskBytes)} are free on the disk: name another folder with --out`,
    )
}
