import { criteria } from './criteria/index.ts'
import { type PruneJob, pruneSchema } from './prune.ts'

/** Settings of a pruning that cannot stand beside each other: the one to change, and why. */
export interface Conflict {
  field: string
  message: string
}

/**
 * A job without the settings that say nothing in it: a ratio, where a budget or a number of parameters says how much is
 * pruned. What tells people of a job tells of the others.
 */
export function saidOf<One extends object>(job: One): One {
  const { ratio: _, ratioOf: __, ...others } = job as One & { ratio?: unknown; ratioOf?: unknown }
  const isSaidOtherwise = ['budget', 'targetFraction', 'targetParameters'].some(
    (name) => (job as Record<string, unknown>)[name] !== undefined,
  )
  return isSaidOtherwise ? (others as unknown as One) : job
}

/** What stands in the way of a job's budget; null where nothing does, or where it has none. */
export function conflictWithBudget(job: Omit<PruneJob, 'out'>): Conflict | null {
  if (job.budget === undefined) return null
  const other =
    job.ratio !== pruneSchema.shape.ratio.def.defaultValue
      ? 'ratio'
      : (['targetFraction', 'targetParameters'] as const).find((name) => job[name] !== undefined)
  const both = other ?? (job.ratioOf === 'parameters' ? 'ratioOf' : undefined)
  if (both !== undefined)
    return { field: both, message: 'says how much is pruned, as the budget does: leave one of them out' }
  const { removes } = criteria[job.criterion]
  if (removes !== 'groups')
    return {
      field: 'budget',
      message: `is spent on heads and channels, and ${job.criterion} removes ${removes}: say a ratio`,
    }
  if (job.ranking === 'local' && job.uniform !== true)
    return {
      field: 'ranking',
      message: 'a budget is spent over all layers together: leave it out, or ask for uniform layers (--uniform)',
    }
  return null
}
