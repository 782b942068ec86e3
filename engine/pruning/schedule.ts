export interface Schedule {
  /** T: optimiser steps of the whole run. */
  steps: number
  /** w: fraction of the steps before pruning starts. */
  warmUp: number
  /** c: fraction of the steps at the end in which the masks are frozen. */
  coolDown: number
  /** s_0 and s_1: fraction of groups removed at the start and at the end. */
  initialRatio: number
  finalRatio: number
  /** Optimiser steps between two prunings. */
  frequency: number
}

/**
 * Fraction of groups that must be gone at step t: cubic between warm-up and cool-down (LoRAPrune, arXiv 2305.18403).
 *
 *     t <= w T: s_0;   t > T - c T: s_1;   otherwise s_1 + (s_0 - s_1) (1 - (t - w T) / (T - (w + c) T))^3
 */
export function plannedRatio(schedule: Schedule, t: number): number {
  const { steps, warmUp, coolDown, initialRatio, finalRatio } = schedule
  if (t <= warmUp * steps) return initialRatio
  if (t > steps - coolDown * steps) return finalRatio
  const progress = (t - warmUp * steps) / (steps - (warmUp + coolDown) * steps)
  return finalRatio + (initialRatio - finalRatio) * (1 - Math.min(progress, 1)) ** 3
}
