import type { LayerShape, ModelConfig } from '../models/model-config.ts'
import type { Projection } from '../models/projections.ts'

/**
 * What leaves together in attention: a key/value head with the query heads that read it, or a single query head. In a
 * model without grouped queries they are the same.
 */
export type HeadGroups = 'key-value-heads' | 'query-heads'

export const kinds = ['heads', 'channels'] as const
/** Attention groups, or feed-forward channels. */
export type Kind = (typeof kinds)[number]

/** How one projection's weights fall into a layer's groups. */
export interface GroupMember {
  projection: Projection
  /** Whether groups are blocks of rows (outputs) or of columns (inputs) of the weight. */
  along: 'rows' | 'columns'
}

/** Groups of a kind in a layer. */
export const groupCount = (shape: LayerShape, kind: Kind, headGroups: HeadGroups): number =>
  kind === 'channels' ? shape.channels : headGroups === 'query-heads' ? shape.heads : shape.keyValueHeads

/** Members of a kind's groups. Keys and values stay where query heads leave on their own, unless each has its own. */
export function groupMembers(shape: LayerShape, kind: Kind, headGroups: HeadGroups): GroupMember[] {
  if (kind === 'channels')
    return [
      { projection: 'gate', along: 'rows' },
      { projection: 'up', along: 'rows' },
      { projection: 'down', along: 'columns' },
    ]
  const keysAndValues: GroupMember[] = [
    { projection: 'k', along: 'rows' },
    { projection: 'v', along: 'rows' },
  ]
  return [
    { projection: 'q', along: 'rows' },
    ...(headGroups === 'key-value-heads' || shape.heads === shape.keyValueHeads ? keysAndValues : []),
    { projection: 'o', along: 'columns' },
  ]
}

/** Parameters that leave with one group: weights of all its members, with their biases. */
export function parametersPerGroup(config: ModelConfig, shape: LayerShape, kind: Kind, headGroups: HeadGroups): number {
  const { hiddenSize, headSize, bias } = config
  if (kind === 'channels') return 3 * hiddenSize + (bias.feedForward ? 2 : 0)
  const oneHead = hiddenSize * headSize
  const oneBias = bias.queryKeyValue ? headSize : 0
  const queryHeads = headGroups === 'query-heads' ? 1 : shape.heads / shape.keyValueHeads
  const withKeys = headGroups === 'key-value-heads' || shape.heads === shape.keyValueHeads
  return queryHeads * (2 * oneHead + oneBias) + (withKeys ? 2 * (oneHead + oneBias) : 0)
}
