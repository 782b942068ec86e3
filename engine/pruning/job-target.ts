import { criteria, type PruneJob } from '../contract/index.ts'
import type { Checkpoint } from '../models/checkpoint.ts'
import { kinds } from '../models/family.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { familyOf } from '../models/registry.ts'
import { linearOf } from '../models/tensors.ts'
import { badSetting } from '../shared/errors.ts'
import { readerOf } from './groups.ts'
import { ratioForParameters, type TargetSettings } from './targets.ts'

/**
 * Which groups must go, from the ratio or from the number of parameters that is wanted.
 *
 * @throws SecateurError where the settings contradict each other or the checkpoint
 */
export function targetOf(job: PruneJob, { config, parameters }: Checkpoint): TargetSettings {
  refuseContradictions(job, config)
  // Layers that are ranked together end up with different counts.
  const settings: TargetSettings = {
    ...job,
    removes: criteria[job.criterion].removes,
    addsBiases: job.criterion === 'flap' && job.biasCompensation,
    uniform: job.uniform && job.ranking === 'local',
  }
  const wanted =
    job.targetParameters ?? (job.targetFraction === undefined ? undefined : Math.floor(job.targetFraction * parameters))
  return wanted === undefined ? settings : { ...settings, ratio: ratioForParameters(config, settings, wanted) }
}

function refuseContradictions(job: PruneJob, config: ModelConfig): void {
  const { layers, family } = config
  const { removes } = criteria[job.criterion]
  if (removes === 'weights' && job.schedule === 'iterative')
    throw badSetting('schedule', `${job.criterion} sets weights to zero all at once: use one-shot`)
  if (removes === 'layers' && layers.some((_, layer) => readersHaveBiases(config, layer)))
    throw badSetting('criterion', 'layers of this checkpoint have biases, so that none can be masked away: use another')
  if (job.criterion === 'flap' && job.biasCompensation && familyOf(config).withBiases(config) === null)
    throw badSetting(
      'biasCompensation',
      `a ${family} checkpoint has no place for the biases: use --no-bias-compensation`,
    )
  const grouped = layers.some(({ heads, keyValueHeads }) => heads !== keyValueHeads)
  if (job.headGroups === 'key-value-heads' && layers.some(({ keyValueHeadOf }) => keyValueHeadOf))
    throw badSetting(
      'headGroups',
      'key/value heads of this checkpoint are read by different numbers of query heads: prune it by query-heads',
    )
  if (job.ranking === 'global' && job.headGroups === 'query-heads' && grouped)
    throw badSetting('ranking', 'query heads that share key/value heads are ranked within a layer: use local')
  if (job.criterion === 'movement' && job.reduction === 'product')
    throw badSetting('reduction', 'movement has a sign, so that its product over projections says nothing: use sum')
  if (job.ranking === 'global' && job.channelMultiple > 1)
    throw badSetting('channelMultiple', 'global ranking gives each layer its own count: use local, or a multiple of 1')
}

/** Whether a layer adds something to the residual stream even where all its groups are masked. */
const readersHaveBiases = (config: ModelConfig, layer: number): boolean =>
  kinds.some((kind) => linearOf(config, layer, readerOf(config, layer, kind)).bias)
