import { criteria, type PruneJob } from '../contract/index.ts'
import type { Checkpoint } from '../models/checkpoint.ts'
import { kinds } from '../models/family.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { familyOf } from '../models/registry.ts'
import { linearOf } from '../models/tensors.ts'
import { badSetting } from '../shared/errors.ts'
import { readerOf } from './groups.ts'
import { layoutOf, sharesKeyValueHeads } from './layout.ts'
import { keptUnscored } from './scorable.ts'
import { ratioForParameters, type TargetSettings } from './targets.ts'

/**
 * Which groups must go, from the ratio or from the number of parameters that is wanted.
 *
 * @throws SecateurError where the settings contradict each other or the checkpoint
 */
export function targetOf(job: PruneJob, { config, parameters }: Checkpoint): TargetSettings {
  const { ranking, uniform } = layoutOf(job, config)
  refuseContradictions(job, ranking, config)
  const { removes, comparable = false } = criteria[job.criterion]
  const settings: TargetSettings = {
    ...job,
    removes,
    comparable,
    keeps: keptUnscored(job, config),
    addsBiases: criteria[job.criterion].addsBiases?.(job) ?? false,
    ranking,
    uniform,
  }
  const wanted =
    job.targetParameters ?? (job.targetFraction === undefined ? undefined : Math.floor(job.targetFraction * parameters))
  return wanted === undefined ? settings : { ...settings, ratio: ratioForParameters(config, settings, wanted) }
}

function refuseContradictions(job: PruneJob, ranking: 'local' | 'global', config: ModelConfig): void {
  const { layers, family } = config
  const contradiction = criteria[job.criterion].contradiction?.(job, {
    family,
    hasOutputBiases: layers.some((_, layer) => readersHaveBiases(config, layer)),
    takesBiases: familyOf(config).withBiases(config) !== null,
  })
  if (contradiction) throw badSetting(contradiction.setting, contradiction.message)
  if (job.headGroups === 'key-value-heads' && layers.some(({ keyValueHeadOf }) => keyValueHeadOf))
    throw badSetting(
      'headGroups',
      'key/value heads of this checkpoint are read by different numbers of query heads: prune it by query-heads',
    )
  if (ranking === 'global' && job.headGroups === 'query-heads' && sharesKeyValueHeads(config))
    throw badSetting('ranking', 'query heads that share key/value heads are ranked within a layer: use local')
  if (ranking === 'global' && job.channelMultiple > 1)
    throw badSetting('channelMultiple', 'global ranking gives each layer its own count: use local, or a multiple of 1')
}

/** Whether a layer adds something to the residual stream even where all its groups are masked. */
const readersHaveBiases = (config: ModelConfig, layer: number): boolean =>
  kinds.some((kind) => linearOf(config, layer, readerOf(config, layer, kind)).bias)
