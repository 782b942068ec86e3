import { type Kind, kinds } from '../../models/family.ts'
import type { ModelConfig } from '../../models/model-config.ts'
import { parametersPerGroup } from '../groups.ts'
import type { LayerScores } from '../scores.ts'
import type { TargetSettings } from '../target-settings.ts'

/**
 * Importance of every group on one scale, so that it can be summed over layers and kinds: the score over the root mean square
 * of its kind in its layer, times the parameters of the group. So a parameter of the average group is worth the same
 * everywhere, and a layer gives more where more of its groups matter little. Where scores are on one scale already, they are
 * taken from the least one on. Not below 0.
 */
export function onOneScale(
  config: ModelConfig,
  scores: readonly LayerScores[],
  { headGroups, comparable }: Pick<TargetSettings, 'headGroups' | 'comparable'>,
): LayerScores[] {
  const least = comparable ? leastOf(scores) : 0
  return scores.map((ofLayer, layer) => {
    const scaled = (kind: Kind) => {
      const finite = Float32Array.from(ofLayer[kind], clamped)
      const norm = comparable ? 1 : rootMeanSquare(finite)
      const each = parametersPerGroup(config, layer, kind, headGroups)
      return finite.map((score) => (Math.max(0, score - least) / norm) * each)
    }
    return { heads: scaled('heads'), channels: scaled('channels') }
  })
}

/** The sum of what is kept, as a fraction of all. */
export function keptImportance(
  importance: readonly LayerScores[],
  masks: readonly Readonly<Record<Kind, ArrayLike<number>>>[],
): number {
  let [kept, all] = [0, 0]
  for (const [layer, ofLayer] of importance.entries())
    for (const kind of kinds)
      for (const [group, value] of ofLayer[kind].entries()) {
        all += value
        if (masks[layer]![kind][group] === 1) kept += value
      }
  return all === 0 ? 1 : kept / all
}

/** Scores that overflowed count as very much. */
const clamped = (score: number) => Math.min(1e15, Math.max(-1e15, score))

const leastOf = (scores: readonly LayerScores[]): number =>
  scores.reduce(
    (least, layer) => kinds.reduce((one, kind) => layer[kind].reduce((two, score) => Math.min(two, score), one), least),
    Infinity,
  )

function rootMeanSquare(values: Float32Array): number {
  const norm = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length)
  return norm > 0 ? norm : 1
}
