import { conflictWithBudget, criteria, type PruneJob } from '../contract/index.ts'
import type { Checkpoint } from '../models/checkpoint.ts'
import { kinds } from '../models/family.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { familyOf } from '../models/registry.ts'
import { countParameters, linearOf } from '../models/tensors.ts'
import { badSetting } from '../shared/errors.ts'
import { withBudget } from './budget/target.ts'
import type { LayerTimes } from './budget/time-costs.ts'
import { readerOf } from './groups.ts'
import { layoutOf, sharesKeyValueHeads } from './layout.ts'
import { keptKinds } from './scorable.ts'
import { decoderParameters, removableParameters } from './parameter-counts.ts'
import { estimateParameters, isPruned, ratioForParameters, type TargetSettings } from './targets.ts'

/** What a target must know of a checkpoint. */
export type TargetModel = Pick<Checkpoint, 'config' | 'parameters' | 'dtype'>

/**
 * Which groups must go, from the ratio or from the number of parameters that is wanted.
 *
 * @param times what layers take on the device of the job, where its budget is one of time
 * @throws SecateurError where the settings contradict each other or the checkpoint
 */
export function targetOf(job: PruneJob, checkpoint: TargetModel, times: LayerTimes | null = null): TargetSettings {
  const { config, parameters } = checkpoint
  const { ranking, uniform } = layoutOf(job, config)
  refuseContradictions(job, ranking, config)
  const { removes, comparable = false } = criteria[job.criterion]
  const settings: TargetSettings = {
    ...job,
    budget: undefined,
    removes,
    comparable,
    keeps: keptKinds(job, config),
    addsBiases: criteria[job.criterion].addsBiases?.(job) ?? false,
    ranking,
    uniform,
  }
  refuseMultiple(config, settings)
  if (job.budget !== undefined) {
    const conflict = conflictWithBudget(job)
    if (conflict) throw badSetting(conflict.field, conflict.message)
    return withBudget({ ...job, budget: job.budget }, checkpoint, settings, times)
  }
  const wanted =
    job.targetParameters ?? (job.targetFraction === undefined ? undefined : Math.floor(job.targetFraction * parameters))
  if (job.ratioOf === 'parameters' && removes === 'groups') return byParameters(job, config, settings, wanted)
  if (wanted !== undefined) return { ...settings, ratio: ratioForParameters(config, settings, wanted) }
  return job.ratioOf === 'parameters' && removes === 'layers' ? byLayers(config, settings) : settings
}

/**
 * A ratio of parameters as a ratio of those that may leave.
 *
 * @param wanted parameters to keep at most, where the job says so in place of a ratio
 */
function byParameters(
  job: PruneJob,
  config: ModelConfig,
  given: TargetSettings,
  wanted: number | undefined,
): TargetSettings {
  const before = countParameters(config)
  const most = wanted ?? before - job.ratio * decoderParameters(config)
  const ratio = Math.max(nothing, (before - most) / removableParameters(config, given))
  const settings: TargetSettings = { ...given, counts: 'parameters', ratio: Math.min(1, ratio) }
  const { after } = estimateParameters(config, settings)
  if (ratio <= 1 && after <= most + 0.5) return settings
  const field =
    job.targetParameters !== undefined ? 'targetParameters' : wanted === undefined ? 'ratio' : 'targetFraction'
  throw badSetting(
    field,
    `${Math.floor(most)} parameters cannot be reached: ${after} are left with what stays in every layer${ratio > 1 ? ' that is pruned and in those that are protected' : ''}; take a smaller ratio${settings.ranking === 'global' ? ' or --floor' : ''}${settings.uniform ? '' : ', or protect fewer layers'}`,
  )
}

/** Stands for a ratio of nothing, by which can be divided. */
const nothing = 1e-12

/** Layers weigh the same: as many leave as it takes, protected ones counted. */
function byLayers(config: ModelConfig, settings: TargetSettings): TargetSettings {
  const pruned = config.layers.filter((_, layer) => isPruned(config, layer, settings)).length
  const ratio = (settings.ratio * config.layers.length) / Math.max(1, pruned)
  if (ratio > 1)
    throw badSetting('ratio', `${settings.ratio} of the layers are more than the ${pruned} that are not protected`)
  return { ...settings, counts: 'parameters', ratio }
}

function refuseContradictions(job: PruneJob, ranking: 'local' | 'global', config: ModelConfig): void {
  const { layers, family } = config
  const { task, withBiases } = familyOf(config)
  const contradiction = criteria[job.criterion].contradiction?.(job, {
    family,
    // Blocks of an encoder add nothing once all their groups are masked.
    hasOutputBiases: task === 'causal-lm' && layers.some((_, layer) => readersHaveBiases(config, layer)),
    takesBiases: withBiases(config) !== null,
  })
  if (contradiction) throw badSetting(contradiction.setting, contradiction.message)
  if (criteria[job.criterion].removes !== 'groups' && kinds.some((kind) => !job.prune.includes(kind)))
    throw badSetting(
      'prune',
      `${job.criterion} removes ${criteria[job.criterion].removes}, and neither heads nor channels by themselves: leave it out`,
    )
  if (job.headGroups === 'key-value-heads' && layers.some(({ keyValueHeadOf }) => keyValueHeadOf))
    throw badSetting(
      'headGroups',
      'key/value heads of this checkpoint are read by different numbers of query heads: prune it by query-heads',
    )
  if (job.budget !== undefined) return
  if (ranking === 'global' && job.headGroups === 'query-heads' && sharesKeyValueHeads(config))
    throw badSetting('ranking', 'query heads that share key/value heads are ranked within a layer: use local')
  if (ranking === 'global' && job.channelMultiple > 1)
    throw badSetting('channelMultiple', 'global ranking gives each layer its own count: use local, or a multiple of 1')
}

/** @throws SecateurError where a layer that would lose channels has fewer than the multiple that it shall keep */
function refuseMultiple(config: ModelConfig, settings: TargetSettings): void {
  const { channelMultiple: multiple } = settings
  if (settings.removes !== 'groups' || settings.keeps?.includes('channels')) return
  const pruned = config.layers.flatMap(({ channels }, layer) =>
    isPruned(config, layer, settings) ? [{ layer, channels }] : [],
  )
  const least = pruned.toSorted((one, other) => one.channels - other.channels)[0]
  if (least === undefined || least.channels >= multiple) return
  throw badSetting(
    'channelMultiple',
    `layer ${least.layer} has ${least.channels} channels, which are fewer than ${multiple}: take a multiple of ${least.channels} at most${settings.uniform ? '' : ', or protect the layers that are so small (--protect-first, --protect-last)'}`,
  )
}

/** Whether a layer adds something to the residual stream even where all its groups are masked. */
const readersHaveBiases = (config: ModelConfig, layer: number): boolean =>
  kinds.some((kind) => linearOf(config, layer, readerOf(config, layer, kind)).bias)
