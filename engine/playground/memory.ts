import { estimateJob, refuseIfTooLarge } from '../estimate/estimate.ts'
import { ownMemory } from '../estimate/memory.ts'
import { placementOf } from '../estimate/placement.ts'
import type { GenerateWork } from '../estimate/work.ts'
import type { Checkpoint } from '../models/checkpoint.ts'
import { SecateurError } from '../shared/errors.ts'
import { sizeText } from '../shared/size-text.ts'

/**
 * Refuses what does not fit beside other models that this process holds.
 *
 * @param othersBytes of their weights
 * @throws SecateurError with the numbers
 */
export function requireMemory(work: GenerateWork, checkpoint: Checkpoint, othersBytes: number): void {
  const placement = placementOf(work, checkpoint)
  const estimate = estimateJob(work, checkpoint, { placement, heldBytes: ownMemory() })
  // What lies on a card of its own takes nothing here.
  const others = placement && !placement.sharesMemory ? 0 : othersBytes
  if (others > 0 && estimate.memoryBytes + others > estimate.freeMemoryBytes)
    throw new SecateurError(
      'does-not-fit',
      `this needs about ${sizeText(estimate.memoryBytes)} of memory beside ${sizeText(others)} of the other models, and ${sizeText(estimate.freeMemoryBytes)} are free: choose fewer or smaller checkpoints, or fewer new tokens`,
    )
  refuseIfTooLarge(estimate, 'generate')
}
