import { existsSync, statfsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Checkpoint } from '../models/checkpoint.ts'
import { trainableOf } from '../lora/trainable.ts'
import type { ModelConfig } from '../models/model-config.ts'
import type { Estimate, FinetuneJob, Placement, PruneJob } from '../contract/index.ts'
import { exportedBytes } from '../export/size.ts'
import { availableMemory } from '../shared/available-memory.ts'
import { SecateurError } from '../shared/errors.ts'
import { sizeText } from '../shared/size-text.ts'
import { keepsActivations } from '../training/gradients.ts'
import { plannedCompatibility } from '../pruning/planned.ts'
import { removalOf } from '../pruning/removal.ts'
import { estimateParameters, layersAfter, type TargetSettings } from '../pruning/targets.ts'
import { stillToWrite } from './disk.ts'
import { heldMemory } from './held-memory.ts'
import { adapterParts } from './memory-facts.ts'
import { selfDataDisk } from './self-data.ts'
import { topCacheBytes } from './teacher.ts'
import type { Work } from './work.ts'

const bytesOf = { float32: 4, float16: 2, bfloat16: 2 } as const

export interface EstimateContext {
  /** What pruning removes. */
  target?: TargetSettings | undefined
  /** Where a graphics card that is in use holds the weights. */
  placement?: Placement | undefined
  /** Memory of this process, where the work is done by it, or of what will have ended: it counts as free. */
  heldBytes?: number
}

/** What work will leave and need, from headers alone. */
export function estimateJob(
  job: Work,
  checkpoint: Checkpoint,
  { target, placement, heldBytes = 0 }: EstimateContext = {},
): Estimate {
  const { config, parameters: before, dtype } = checkpoint
  const after = target ? estimateParameters(config, target).after : before
  const stored = 'outputDtype' in job && job.outputDtype !== 'same' ? bytesOf[job.outputDtype] : bytesOf[dtype]
  const trained = job.kind === 'finetune' || job.kind === 'prune' ? adapterParts(checkpoint.config, job) : null
  const adapter = trained ? trained.adapter + trained.classifier : 0
  const best = 'validation' in job && job.validation !== undefined && job.keepBest ? adapter : 0
  const writes =
    job.kind === 'export'
      ? exportedBytes(job, checkpoint)
      : job.kind === 'prune' || job.kind === 'merge' || job.kind === 'import'
        ? after * stored
        : 0
  return {
    parameters: { before, after },
    ...(trained && adapter > 0 && { trainable: trainableOf(trained, before) }),
    ...(target &&
      target.removes !== 'weights' && {
        removal: removalOf(config, target, { layers: layersAfter(config, target), parameters: after }),
      }),
    ...(target && { compatibility: plannedCompatibility(config, target) }),
    diskBytes: stillToWrite(job, {
      // The saved state holds values and two moments, and the best values; while a new one is written the old one is still there.
      state: (adapter * 3 + best) * 4 * 2,
      output: writes + adapter * 4,
      selfData: selfDataDisk(job),
      topCache: topCacheBytes(job),
    }),
    memoryBytes: heldMemory(job, checkpoint, placement) + best * 4,
    freeDiskBytes: 'out' in job && job.out !== undefined ? freeDisk(job.out) : freeDisk('.'),
    freeMemoryBytes: availableMemory() + heldBytes,
    ...(placement && { placement }),
  }
}

/** Whether a step keeps the blocks' activations for its backward pass, rather than computing the blocks again. */
export const keeps = (job: FinetuneJob | PruneJob, config: ModelConfig): boolean =>
  job.gradientCheckpointing === 'off' ||
  (job.gradientCheckpointing === 'auto' && keepsActivations(config, job.batchSize, job.sequenceLength))

/** Bytes that are free where a path is, or will be. */
export function freeDisk(path: string): number {
  let folder = resolve(path)
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder)
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}

/** What makes work smaller. */
const remedies: Record<Work['kind'] | 'sweep' | 'parts', string> = {
  prune: 'take a smaller batch size or a shorter sequence length, or hold the weights in 8 bits with --int8',
  finetune: 'take a smaller batch size or a shorter sequence length, or hold the weights in 8 bits with --int8',
  sweep: 'run fewer at a time (--parallel), or take a smaller batch size or a shorter sequence length in its base',
  parts: 'score fewer parts at a time (--parallel), or take fewer tokens in a scoring batch with --batch-tokens',
  evaluate: 'take fewer tokens in a scoring batch with --batch-tokens',
  generate: 'take a shorter prompt or fewer new tokens, or a checkpoint in 16 bits',
  measure: 'take a smaller batch size, a shorter sequence length or fewer calibration samples',
  merge: 'close other programs, or merge on a computer with more memory',
  import: 'close other programs, or import on a computer with more memory',
  export: 'take fewer threads with --threads',
}

/** @throws SecateurError with the numbers where work cannot fit. */
export function refuseIfTooLarge(
  { memoryBytes, freeMemoryBytes, diskBytes, freeDiskBytes }: Estimate,
  kind: keyof typeof remedies = 'prune',
): void {
  if (memoryBytes > freeMemoryBytes)
    throw new SecateurError(
      'does-not-fit',
      `this job needs about ${sizeText(memoryBytes)} of memory and ${sizeText(freeMemoryBytes)} are free: ${remedies[kind]}`,
    )
  if (diskBytes > freeDiskBytes)
    throw new SecateurError(
      'does-not-fit',
      `this job writes about ${sizeText(diskBytes)} and ${sizeText(freeDiskBytes)} are free on the disk: name another folder with --out`,
    )
}
