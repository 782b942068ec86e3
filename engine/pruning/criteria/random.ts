import type { ModelConfig } from '../../models/model-config.ts'
import type { Random } from '../../shared/random.ts'
import type { HeadGroups, Kind } from '../../models/family.ts'
import { groupCount } from '../groups.ts'
import type { SelectionCriterion } from './criterion.ts'

/** A lot for each group, uniform in [0, 1). The same lots are drawn whenever they are asked for. */
export function randomCriterion(config: ModelConfig, headGroups: HeadGroups, random: Random): SelectionCriterion {
  const draw = (layer: number, kind: Kind) => {
    const stream = random.fork(`layers.${layer}.${kind}`)
    return Float32Array.from({ length: groupCount(config, layer, kind, headGroups) }, () => stream.uniform())
  }
  return {
    when: 'selection',
    score: async () =>
      config.layers.map((_, layer) => ({ heads: draw(layer, 'heads'), channels: draw(layer, 'channels') })),
  }
}
