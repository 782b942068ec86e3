import { type Kind, kinds, type LayerMask } from '../models/family.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { linearOf } from '../models/tensors.ts'
import { tf } from '../tensor/tf.ts'
import { selectWithinBudget } from './budget/select.ts'
import { type GroupMasks, isEmptyLayer, readerOf } from './groups.ts'
import type { LayerScores } from './scores.ts'
import { compare, leavingOrder } from './order.ts'
import { isPruned, keptByFloor, layersRemoved, queryHeadRuns, removalCounts, type TargetSettings } from './targets.ts'

export { fullMasks, type GroupMasks, isEmptyLayer } from './groups.ts'

/** The masks of a run, with the tensors that the forward pass applies: whoever wants them asks here. */
export class Masks implements Disposable {
  readonly #config: ModelConfig
  #groups: GroupMasks
  #tensors: LayerMask[]

  constructor(config: ModelConfig, groups: GroupMasks) {
    this.#config = config
    this.#groups = groups
    this.#tensors = maskTensors(config, groups)
  }

  get groups(): GroupMasks {
    return this.#groups
  }

  get tensors(): LayerMask[] {
    return this.#tensors
  }

  set(groups: GroupMasks): void {
    this[Symbol.dispose]()
    this.#groups = groups
    this.#tensors = maskTensors(this.#config, groups)
  }

  [Symbol.dispose](): void {
    tf.dispose(this.#tensors)
    this.#tensors = []
  }
}

/**
 * The masks at a sparsity: the least important groups leave. A group that has left is chosen first, so it never comes back.
 *
 * @param sparsity fraction of groups that must be gone in the layers that are pruned
 */
export function selectMasks(
  config: ModelConfig,
  masks: GroupMasks,
  importance: readonly LayerScores[],
  sparsity: number,
  settings: TargetSettings,
): GroupMasks {
  if (settings.budget) return selectWithinBudget(config, masks, importance, sparsity, settings, settings.budget)
  if (settings.removes === 'layers') return selectLayers(config, masks, importance, sparsity, settings)
  const next = masks.map(({ heads, channels }) => ({ heads: heads.slice(), channels: channels.slice() }))
  for (const kind of kinds) {
    const counts = removalCounts(config, kind, settings, sparsity)
    const chosen =
      settings.ranking === 'global'
        ? rankGlobally(config, masks, importance, kind, counts, settings)
        : counts.map((count, layer) => rankLayer(config, masks, importance, kind, layer, count, settings))
    for (const [layer, groups] of chosen.entries()) for (const group of groups) next[layer]![kind][group] = 0
  }
  return next
}

/** Whole layers: all groups of a layer have its score. */
function selectLayers(
  config: ModelConfig,
  masks: GroupMasks,
  importance: readonly LayerScores[],
  sparsity: number,
  settings: TargetSettings,
): GroupMasks {
  const candidates = [...masks.keys()].filter((layer) => isPruned(config, layer, settings))
  const score = (layer: number) => (isEmptyLayer(masks[layer]!) ? -Infinity : importance[layer]!.heads[0]!)
  candidates.sort((one, other) => compare(score(one), score(other)) || one - other)
  const leaving = new Set(candidates.slice(0, layersRemoved(config, settings, sparsity)))
  return masks.map((mask, layer) => {
    const kept = { heads: mask.heads.slice(), channels: mask.channels.slice() }
    if (leaving.has(layer)) for (const kind of kinds) kept[kind].fill(0)
    return kept
  })
}

function rankLayer(
  config: ModelConfig,
  masks: GroupMasks,
  importance: readonly LayerScores[],
  kind: Kind,
  layer: number,
  count: number,
  settings: TargetSettings,
): number[] {
  const shape = config.layers[layer]!
  const mask = masks[layer]![kind]
  const scores = importance[layer]![kind]
  return leavingOrder(mask, scores, queryHeadRuns(shape, kind, settings)).slice(0, count)
}

function rankGlobally(
  config: ModelConfig,
  masks: GroupMasks,
  importance: readonly LayerScores[],
  kind: Kind,
  counts: readonly number[],
  settings: TargetSettings,
): number[][] {
  const chosen: number[][] = config.layers.map(() => [])
  const candidates = config.layers.flatMap((_, layer) => {
    if (!isPruned(config, layer, settings)) return []
    const mask = masks[layer]![kind]
    const scores = importance[layer]![kind]
    // Layers differ in scale: each is divided by its own norm before they are ranked together.
    const norm = settings.comparable ? 1 : Math.hypot(...scores) + 1e-8
    return leavingOrder(mask, scores).map((group) => ({
      layer,
      group,
      score: mask[group] === 0 ? -Infinity : scores[group]! / norm,
    }))
  })
  candidates.sort((one, other) => compare(one.score, other.score) || one.layer - other.layer || one.group - other.group)
  let left = counts.reduce((sum, count) => sum + count, 0)
  for (const { layer, group } of candidates) {
    if (left === 0) break
    const groups = masks[layer]![kind].length
    if (chosen[layer]!.length >= groups - keptByFloor(groups, settings)) continue
    chosen[layer]!.push(group)
    left--
  }
  return chosen
}

/** Tensors of the masks, as the forward pass applies them: a group's value for each of its columns in the reader. */
export function maskTensors(config: ModelConfig, masks: GroupMasks): LayerMask[] {
  return masks.map((mask, layer) => {
    const tensorOf = (kind: Kind) => {
      const groups = mask[kind]
      const { inputs } = linearOf(config, layer, readerOf(config, layer, kind))
      const span = inputs / groups.length
      return tf.tensor1d(Float32Array.from({ length: inputs }, (_, i) => groups[Math.floor(i / span)]!))
    }
    return { heads: tensorOf('heads'), channels: tensorOf('channels') }
  })
}

/** Fraction of the groups of the pruned layers that have left. */
export function sparsityOf(config: ModelConfig, masks: GroupMasks, kind: Kind, settings: TargetSettings): number {
  let groups = 0
  let removed = 0
  for (const [layer, mask] of masks.entries()) {
    if (!isPruned(config, layer, settings)) continue
    groups += mask[kind].length
    for (const kept of mask[kind]) if (kept === 0) removed++
  }
  return groups === 0 ? 0 : removed / groups
}
