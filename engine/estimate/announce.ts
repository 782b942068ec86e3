import { chooseBackend } from '../backends/choose.ts'
import type { Estimate, EngineEvent, EvaluateJob } from '../contract/index.ts'
import type { Checkpoint } from '../models/checkpoint.ts'
import type { TargetSettings } from '../pruning/targets.ts'
import { estimateJob, refuseIfTooLarge } from './estimate.ts'
import { sizeText } from '../shared/size-text.ts'
import { jobWarnings } from './job-warnings.ts'
import { ownMemory } from './memory.ts'
import { placementOf } from './placement.ts'
import type { Work } from './work.ts'

type Emit = (event: EngineEvent) => void

/**
 * What every job does before it starts: tells what it will leave and need, and what is odd about it, and refuses what does
 * not fit. The back end must have been chosen, where one computes.
 *
 * @throws SecateurError with the numbers where it cannot fit
 */
export async function announce(work: Work, checkpoint: Checkpoint, emit: Emit, target?: TargetSettings): Promise<void> {
  const estimate = estimateHere(work, checkpoint, target)
  emit({ type: 'estimate', estimate })
  for (const message of await jobWarnings(work, checkpoint)) emit({ type: 'warning', message })
  refuseIfTooLarge(estimate, work.kind)
}

/**
 * The same of an evaluation whose parts are done by other processes. What a node of a cluster has is not known here: only
 * memory that is asked for may be told to be too little.
 *
 * @param atOnce parts that are at work at a time
 * @throws SecateurError with the numbers where they cannot fit on this computer
 */
export async function announceParts(
  job: EvaluateJob,
  checkpoint: Checkpoint,
  atOnce: number,
  emit: Emit,
): Promise<void> {
  const warn = (message: string) => emit({ type: 'warning', message })
  if (!job.cluster) await chooseBackend(job)
  const ofPart = estimateJob(job, checkpoint, job.cluster ? {} : { placement: placementOf(job, checkpoint) })
  const estimate = job.cluster ? ofPart : { ...ofPart, memoryBytes: ofPart.memoryBytes * atOnce }
  emit({ type: 'estimate', estimate })
  for (const message of await jobWarnings(job, checkpoint)) warn(message)
  if (!job.cluster) return refuseIfTooLarge(estimate, 'parts')
  const { memory } = job.cluster
  if (memory !== undefined && ofPart.memoryBytes > memory * 2 ** 30)
    warn(`each part may need about ${sizeText(ofPart.memoryBytes)} of memory, and is given ${memory} GB (--memory)`)
}

/** The same of work whose warnings have been told already. */
export function announceSizes(work: Work, checkpoint: Checkpoint, emit: Emit): void {
  const estimate = estimateHere(work, checkpoint)
  emit({ type: 'estimate', estimate })
  refuseIfTooLarge(estimate, work.kind)
}

/** The work is done by this process: what it holds already is part of what it needs. */
const estimateHere = (work: Work, checkpoint: Checkpoint, target?: TargetSettings): Estimate =>
  estimateJob(work, checkpoint, {
    target,
    placement: placementOf(work, checkpoint),
    heldBytes: ownMemory(),
  })
