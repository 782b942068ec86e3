import { criteria, type PruneJob } from '../contract/index.ts'
import { type Kind, kinds, type LinearName } from '../models/family.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { badSetting } from '../shared/errors.ts'
import { groupsOf } from './groups.ts'

export type ScoringSettings = Pick<
  PruneJob,
  'criterion' | 'targetModules' | 'headGroups' | 'reduction' | 'movementGradients' | 'keepUnscored' | 'prune'
>

/**
 * Kinds of groups that a criterion cannot score, with the linear layers that would give them scores: one that reads the
 * gradients of the adapter sees a group through the adapted linear layers that are members of it, and no others. Without
 * scores the order would be that of the groups' numbers.
 */
export function unscoredKinds(job: ScoringSettings, config: ModelConfig): Map<Kind, LinearName[]> {
  const found = new Map<Kind, LinearName[]>()
  const { needs, scoresThroughAdapter } = criteria[job.criterion]
  if (!(scoresThroughAdapter?.(job) ?? needs === 'adapter gradients')) return found
  for (const kind of kinds.filter((each) => job.prune.includes(each)))
    for (const layer of config.layers.keys()) {
      const members = groupsOf(config, layer, kind, job.headGroups).members.map(({ linear }) => linear)
      // `last` takes the score of the linear layer that reads the groups, and no other can stand for it.
      const scoring = job.reduction === 'last' ? members.slice(-1) : members
      if (!scoring.some((name) => (job.targetModules as LinearName[]).includes(name))) found.set(kind, scoring)
    }
  return found
}

/**
 * Kinds that stay whole: those that the job does not prune, and those that the criterion cannot score where the job says that
 * this is meant.
 *
 * @throws SecateurError where the job does not say so, or nothing would be left to remove
 */
export function keptKinds(job: ScoringSettings, config: ModelConfig): Kind[] {
  const spared = kinds.filter((kind) => !job.prune.includes(kind))
  const unscored = unscoredKinds(job, config)
  const [first] = unscored
  if (first === undefined) return spared
  const [kind, members] = first
  const why = `${job.criterion} scores ${kind} by the adapter's gradients${job.reduction === 'last' ? ' with the reduction last' : ''}, and no target module is ${members.join(', ').replace(/, (?=[^,]*$)/, ' or ')} (--target-modules ${job.targetModules.join(' ')})`
  const remedies = `add ${members.length > 1 ? 'one of them' : 'it'}, or take a criterion that scores without an adapter, as magnitude or wanda does`
  if (unscored.size + spared.length === kinds.length && job.keepUnscored)
    throw badSetting('targetModules', `${why}; nothing would be left to remove: ${remedies}`)
  if (!job.keepUnscored)
    throw badSetting('targetModules', `${why}: ${remedies}, or leave the ${kind} whole with --keep-unscored`)
  return [...spared, ...unscored.keys()]
}
