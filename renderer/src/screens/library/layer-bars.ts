import type { CheckpointDetail } from '../../../../electron/contract/index.ts'
import { count, percent } from '../../format.ts'

export interface Kept {
  kept: number
  of: number
}

/** Heads and channels of each layer, and what it had before pruning; where that is not known, what it has. */
export function layerBars(
  layers: CheckpointDetail['layers'],
  original: CheckpointDetail['originalLayers'],
): { heads: Kept; channels: Kept }[] {
  return layers.map(({ heads, channels }, index) => ({
    heads: { kept: heads, of: Math.max(heads, original?.[index]?.heads ?? 0) },
    channels: { kept: channels, of: Math.max(channels, original?.[index]?.channels ?? 0) },
  }))
}

/** What a row of bars says: "128 of 256 kept (50%), 8 to 16 a layer". */
export function summary(bars: readonly Kept[]): string {
  const kept = bars.reduce((sum, bar) => sum + bar.kept, 0)
  const of = bars.reduce((sum, bar) => sum + bar.of, 0)
  const least = Math.min(...bars.map((bar) => bar.kept))
  const most = Math.max(...bars.map((bar) => bar.kept))
  const each = least === most ? `${count(least)} in each layer` : `${count(least)} to ${count(most)} a layer`
  return kept === of ? each : `${count(kept)} of ${count(of)} kept (${percent(kept / of)}), ${each}`
}
