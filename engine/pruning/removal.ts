import type { BudgetSpent, Removal } from '../contract/index.ts'
import { type Kind, kinds } from '../models/family.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { countParameters } from '../models/tensors.ts'
import { groupCount, parametersPerGroup } from './groups.ts'
import type { BudgetTarget } from './budget/costs.ts'
import { estimateParameters, isPruned, layersAfter, type TargetSettings } from './targets.ts'
import { sum } from '../shared/sum.ts'

/** Parameters of a checkpoint, and of those groups (or layers) of it that may leave. */
export interface RemovableParameters {
  removable: number
  all: number
}

export function removableParameters(config: ModelConfig, settings: TargetSettings): RemovableParameters {
  const all = countParameters(config)
  if (settings.removes === 'weights') return { removable: 0, all }
  if (settings.budget) return { removable: (all - estimateParameters(config, settings).after) / settings.ratio, all }
  const pruned = [...config.layers.keys()].filter((layer) => isPruned(config, layer, settings))
  if (settings.removes === 'layers') {
    const others = config.layers.filter((_, layer) => !pruned.includes(layer))
    return { removable: all - countParameters({ ...config, layers: others }), all }
  }
  let removable = 0
  for (const kind of kinds) {
    if (settings.keeps?.includes(kind)) continue
    for (const layer of pruned)
      removable +=
        groupCount(config, layer, kind, settings.headGroups) *
        parametersPerGroup(config, layer, kind, settings.headGroups)
  }
  return { removable, all }
}

/** Fraction of a checkpoint's parameters that a ratio of its groups (or layers) stands for, before groups are whole. */
export const plannedParameters = ({ removable, all }: RemovableParameters, ratio: number): number =>
  (ratio * removable) / all

/** What leaves a checkpoint, of each kind and of all parameters: what the ratio stands for, and what whole groups made of it. */
export function removalOf(
  config: ModelConfig,
  settings: TargetSettings,
  after: Pick<ModelConfig, 'layers'> & { parameters: number },
): Removal {
  const counts = ({ layers }: Pick<ModelConfig, 'layers'>, kind: Kind): number[] => {
    const own = { ...config, layers }
    return layers.map((_, layer) => groupCount(own, layer, kind, settings.headGroups))
  }
  // A budget says nothing of each kind: what the estimate has stands for it.
  const nominal = settings.budget && { layers: layersAfter(config, settings) }
  const ofKind = (kind: Kind) => {
    const before = counts(config, kind)
    const pruned = sum(before.filter((_, layer) => isPruned(config, layer, settings)))
    const removed = (left: Pick<ModelConfig, 'layers'>) =>
      pruned === 0 ? 0 : (sum(before) - sum(counts(left, kind))) / pruned
    const planned = nominal ? removed(nominal) : settings.ratio
    return { planned: settings.keeps?.includes(kind) ? 0 : planned, actual: removed(after) }
  }
  return {
    heads: ofKind('heads'),
    channels: ofKind('channels'),
    parameters: {
      planned: plannedParameters(removableParameters(config, settings), settings.ratio),
      actual: 1 - after.parameters / countParameters(config),
    },
    ...(settings.budget && { budget: spentOf(settings.budget, after) }),
  }
}

/** A budget beside what is left. */
const spentOf = (
  { measure, before, limit, spent }: BudgetTarget,
  after: Pick<ModelConfig, 'layers'> & { parameters: number },
): BudgetSpent => ({ measure, before, planned: limit, actual: spent(after) })
