import { criteria, type Job, type PruneJob } from '../contract/index.ts'
import type { ModelConfig } from '../models/model-config.ts'

/** How a job ranks groups, and whether every layer keeps as many: what `auto` and a `uniform` that is not given come to. */
export interface Layout {
  ranking: 'local' | 'global'
  uniform: boolean
  /** What of the job keeps groups within a layer though the criterion's paper ranks them over all; null where nothing does. */
  localFor: string | null
}

export type LayoutSettings = Pick<
  PruneJob,
  'budget' | 'criterion' | 'ranking' | 'uniform' | 'headGroups' | 'channelMultiple'
>

export function layoutOf(job: LayoutSettings, config: ModelConfig): Layout {
  // A budget is spent over all layers, with equal counts or without.
  if (job.budget !== undefined)
    return { ranking: job.uniform === true ? 'local' : 'global', uniform: job.uniform === true, localFor: null }
  const localFor =
    job.ranking === 'auto' && criteria[job.criterion].ranking === 'global' ? reasonForLocal(job, config) : null
  const ranking = job.ranking !== 'auto' ? job.ranking : localFor === null ? criteria[job.criterion].ranking : 'local'
  // Layers that are ranked together end up with different counts.
  return { ranking, uniform: ranking === 'local' && (job.uniform ?? true), localFor }
}

function reasonForLocal({ uniform, headGroups, channelMultiple }: LayoutSettings, config: ModelConfig): string | null {
  if (uniform === true) return '--uniform asks for the same counts in every layer'
  if (channelMultiple > 1) return '--channel-multiple holds for every layer by itself'
  return headGroups === 'query-heads' && sharesKeyValueHeads(config)
    ? 'query heads that share key/value heads (--head-groups query-heads) are ranked within a layer'
    : null
}

/** Whether several query heads read one key/value head in any layer. */
export const sharesKeyValueHeads = ({ layers }: ModelConfig): boolean =>
  layers.some(({ heads, keyValueHeads }) => heads !== keyValueHeads)

/**
 * A job as run.json says it, with its layout spelt out: what `auto` means may differ between versions, and a run goes on as
 * it was started.
 *
 * @param started job of the run that is continued; null for a new one
 */
export function withLayout(job: PruneJob, config: ModelConfig, started: Job | null): PruneJob {
  const earlier = started?.kind === 'prune' ? started : null
  const given: PruneJob = {
    ...job,
    ranking: job.ranking === 'auto' ? (earlier?.ranking ?? 'auto') : job.ranking,
    uniform: job.uniform ?? earlier?.uniform,
  }
  const { ranking, uniform } = layoutOf(given, config)
  return { ...given, ranking, uniform: given.uniform ?? uniform }
}
