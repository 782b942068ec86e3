import { type Kind, kinds } from '../../models/family.ts'

/** What a layer may keep of a kind, the most first: numbers of groups, what they cost, and the importance lost by then. */
export interface Curve {
  kept: number[]
  /** Falls. */
  cost: Float64Array
  /** Rises. */
  lost: Float64Array
}

/** What a layer offers: a point of each curve, or to leave whole. */
export interface LayerChoices extends Record<Kind, Curve> {
  /** Cost of what leaves with the whole layer alone. */
  rest: number
  /** Importance that is lost where the whole layer leaves; null where it may not. */
  gone: number | null
}

/** A layer's points, by their place in its curves; null where the layer leaves whole. */
export type Choice = Record<Kind, number> | null

export interface Solution {
  choices: Choice[]
  cost: number
  lost: number
}

export const choiceCost = (layer: LayerChoices, choice: Choice): number =>
  choice === null ? 0 : kinds.reduce((sum, kind) => sum + layer[kind].cost[choice[kind]]!, layer.rest)

export const choiceLoss = (layer: LayerChoices, choice: Choice): number =>
  choice === null ? (layer.gone ?? Infinity) : kinds.reduce((sum, kind) => sum + layer[kind].lost[choice[kind]]!, 0)

export function solutionOf(layers: readonly LayerChoices[], choices: Choice[]): Solution {
  let [cost, lost] = [0, 0]
  for (const [i, layer] of layers.entries()) {
    cost += choiceCost(layer, choices[i]!)
    lost += choiceLoss(layer, choices[i]!)
  }
  return { choices, cost, lost }
}

/** The choice with which a layer stays, with as little as it may keep. */
export const fewest = ({ heads, channels }: LayerChoices): NonNullable<Choice> => ({
  heads: heads.kept.length - 1,
  channels: channels.kept.length - 1,
})

/** The least that the layers can cost together. */
export const leastCost = (layers: readonly LayerChoices[]): number =>
  layers.reduce((sum, layer) => sum + (layer.gone === null ? choiceCost(layer, fewest(layer)) : 0), 0)
