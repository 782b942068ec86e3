import { sum } from '../../engine/shared/sum.ts'
import type { Context } from './context.ts'
import type { RunProcess } from './run-process.ts'
import { clusterOf } from './run-summary.ts'

/** Shows outside of the window how far the runs are, and keeps the computer awake for them where that is wanted. */
export function showOnPlatform({ options, runs, settings }: Context, processes: ReadonlyMap<number, RunProcess>): void {
  const { platform } = options
  // What a cluster does needs no computer that stays awake.
  const here = [...processes.keys()].some((id) => !clusterOf(runs.get(id)!))
  platform.keepAwake(here && settings().keepAwake)
  const fractions = [...processes.values()].map(({ progress: { overall } }) => overall?.fraction ?? 0)
  platform.showProgress(fractions.length === 0 ? null : sum(fractions) / fractions.length)
}
