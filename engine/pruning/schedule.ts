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

/** What a job says of its schedule. */
export interface ScheduleSettings {
  /** Fraction of the steps before pruning starts, and after it ends. */
  pruneWarmup: number
  pruneCooldown: number
  /** Optimiser steps between two prunings. */
  frequency: number
}

/** A job's schedule, from nothing removed to `finalRatio`. */
export const scheduleOf = (job: ScheduleSettings, steps: number, finalRatio: number): Schedule => ({
  steps,
  warmUp: job.pruneWarmup,
  coolDown: job.pruneCooldown,
  initialRatio: 0,
  finalRatio,
  frequency: job.frequency,
})

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

/** First step of the cool-down: the last groups leave there, and exactly as many are gone as were asked for. */
export const lastSelection = ({ steps, coolDown }: Schedule): number =>
  Math.min(steps, Math.floor(steps - coolDown * steps) + 1)

/** Fraction of groups that must be gone after step t, or null where none are chosen then. */
export function ratioToSelect(schedule: Schedule, t: number): number | null {
  const last = lastSelection(schedule)
  if (t === last) return schedule.finalRatio
  if (t > last || t % schedule.frequency !== 0) return null
  const planned = plannedRatio(schedule, t)
  return planned > 0 ? planned : null
}

/**
 * How often groups are chosen in the whole run. Counted without going over the steps: the planned ratio never falls, so
 * halving finds the first multiple of the frequency where it is above 0, and every one from there on is a choice.
 */
export function selections(schedule: Schedule): number {
  const multiples = Math.floor((lastSelection(schedule) - 1) / schedule.frequency)
  let low = 1
  let high = multiples + 1
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (plannedRatio(schedule, middle * schedule.frequency) > 0) high = middle
    else low = middle + 1
  }
  return 1 + multiples + 1 - low
}
