import type { Budget } from '../../contract/index.ts'
import { type HeadGroups, type Kind, kinds } from '../../models/family.ts'
import type { LayerShape, ModelConfig } from '../../models/model-config.ts'
import { countParameters } from '../../models/tensors.ts'
import { groupCount, parametersPerGroup } from '../groups.ts'

/** What is kept costs, in the unit of a budget. */
export interface Costs {
  /** Of what no choice changes: embeddings, output head. */
  fixed: number
  layers: LayerCosts[]
}

export interface LayerCosts extends Record<Kind, (kept: number) => number> {
  /** Of what leaves with the whole layer alone, such as its norms. */
  rest: number
}

/** A budget with what it is spent on. */
export interface BudgetTarget {
  measure: Budget['measure']
  costs: Costs
  /** What the checkpoint costs, and what may be kept at most. */
  before: number
  limit: number
  /** The least that can be reached. */
  least: number
  /** What is spent on what is left. */
  spent(after: { layers: LayerShape[]; parameters: number }): number
}

/**
 * Parameters times what each takes: exact, since groups of a kind in a layer weigh the same.
 *
 * @param each bytes of a parameter; 1 counts parameters
 */
export function parameterCosts(config: ModelConfig, headGroups: HeadGroups, each = 1): Costs {
  const withoutLayers = countParameters({ ...config, layers: [] })
  return {
    fixed: withoutLayers * each,
    layers: config.layers.map((shape, layer) => {
      const own = countParameters({ ...config, layers: [shape] }) - withoutLayers
      const perGroup = (kind: Kind) => parametersPerGroup(config, layer, kind, headGroups)
      const groups = kinds.reduce((sum, kind) => sum + groupCount(config, layer, kind, headGroups) * perGroup(kind), 0)
      const [heads, channels] = [perGroup('heads') * each, perGroup('channels') * each]
      return { rest: (own - groups) * each, heads: (kept) => kept * heads, channels: (kept) => kept * channels }
    }),
  }
}

/** What layers cost with so many groups each; null for a layer that has left. */
export const costOf = ({ fixed, layers }: Costs, kept: readonly (Readonly<Record<Kind, number>> | null)[]): number =>
  kept.reduce((sum, of, layer) => {
    const costs = layers[layer]!
    return of === null ? sum : sum + costs.rest + costs.heads(of.heads) + costs.channels(of.channels)
  }, fixed)
