import { type Kind, kinds } from '../models/family.ts'
import type { RestoredValues, SavedValues } from '../shared/saved-values.ts'
import type { GroupMasks } from './groups.ts'
import type { LayerScores } from './scores.ts'

/** Names under which a run's state keeps what budgets are planned with after it. */
const names = { score: 'score', chosen: 'chosen' } as const

/** Values of every group as tensors of a saved state. */
export function savedLayers(name: string, layers: readonly Readonly<Record<Kind, ArrayLike<number>>>[]): SavedValues {
  return new Map(
    layers.flatMap((ofLayer, layer) =>
      kinds.map((kind) => {
        const data = Float32Array.from(ofLayer[kind])
        return [`${name}.${layer}.${kind}`, { shape: [data.length], data }] as const
      }),
    ),
  )
}

/**
 * What every group scored when it was last chosen among, and at which step that was: a group that has left scores nothing any
 * more, and its moving average falls. With both, another budget is planned from what a run leaves.
 */
export class KeptScores {
  #scores: LayerScores[] | null = null
  #chosen: LayerScores[]

  /** @param masks with everything in them */
  constructor(masks: GroupMasks) {
    this.#chosen = masks.map(({ heads, channels }) => ({
      heads: new Float32Array(heads.length),
      channels: new Float32Array(channels.length),
    }))
  }

  /** Groups are about to be chosen by these scores. @param masks what was there before */
  choose(step: number, scores: readonly LayerScores[], masks: GroupMasks): void {
    this.#scores ??= scores.map(({ heads, channels }) => ({ heads: heads.slice(), channels: channels.slice() }))
    for (const [layer, ofLayer] of masks.entries())
      for (const kind of kinds)
        for (const [group, stays] of ofLayer[kind].entries()) {
          if (stays === 0) continue
          this.#scores[layer]![kind][group] = scores[layer]![kind][group]!
          this.#chosen[layer]![kind][group] = step
        }
  }

  /** JSON knows no infinity, and saved states no value that is not a number: what overflowed is very large. */
  state(): SavedValues {
    if (this.#scores === null) return new Map()
    const finite = this.#scores.map(({ heads, channels }) => ({
      heads: heads.map(clamped),
      channels: channels.map(clamped),
    }))
    return new Map([...savedLayers(names.score, finite), ...savedLayers(names.chosen, this.#chosen)])
  }

  /** States of earlier versions have none. */
  restore(saved: RestoredValues): void {
    if (!saved.has(`${names.score}.0.heads`)) return
    const layers = (name: string) =>
      this.#chosen.map(({ heads, channels }, layer) => ({
        heads: saved.value(`${name}.${layer}.heads`, heads.length),
        channels: saved.value(`${name}.${layer}.channels`, channels.length),
      }))
    this.#scores = layers(names.score)
    this.#chosen = layers(names.chosen)
  }

  /** What a run's state holds; null where it holds none. @param masks of the run's model, in shape */
  static read(saved: RestoredValues, masks: GroupMasks): { scores: LayerScores[]; chosen: LayerScores[] } | null {
    const kept = new KeptScores(masks)
    kept.restore(saved)
    return kept.#scores && { scores: kept.#scores, chosen: kept.#chosen }
  }
}

const clamped = (score: number): number => Math.min(3e38, Math.max(-3e38, score))
