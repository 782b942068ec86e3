import type { PruningSnapshot } from '../../../electron/contract/index.ts'

/** What an importance heat map shows of a snapshot: one row a layer, cells from the first head or channel to the last. */
export interface HeatRow {
  /** Mean score of the groups in each cell; null where a layer has fewer groups than the widest. */
  readonly scores: readonly (number | null)[]
  /** Fraction of the groups in each cell that is kept. */
  readonly kept: readonly number[]
  /** Groups of the layer, and how many of them are kept. */
  readonly groups: number
  readonly keptGroups: number
}
export type GroupKind = 'heads' | 'channels'

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
const mean = (values: readonly number[]) => (values.length > 0 ? sum(values) / values.length : 0)

/** Averages neighbours so that at most `cells` are left; every cell stands for nearly as many values as the others. */
export function bin(values: readonly number[], cells: number): number[] {
  if (values.length <= cells) return [...values]
  return Array.from({ length: cells }, (_, cell) =>
    mean(values.slice(Math.floor((cell * values.length) / cells), Math.floor(((cell + 1) * values.length) / cells))),
  )
}

/** @param cells at most in a row. */
export function heatRows(snapshot: PruningSnapshot, kind: GroupKind, cells = 128): HeatRow[] {
  const binned = snapshot.layers.map((layer) => {
    const { scores, kept } = layer[kind]
    const groups = kind === 'heads' ? scores.length : layer.channels.count
    return { scores: bin(scores, cells), kept: bin(kept, cells), groups, keptGroups: Math.round(mean(kept) * groups) }
  })
  const width = Math.max(0, ...binned.map(({ scores }) => scores.length))
  return binned.map((row) => ({
    ...row,
    scores: Array.from({ length: width }, (_, cell) => row.scores[cell] ?? null),
    kept: Array.from({ length: width }, (_, cell) => row.kept[cell] ?? 0),
  }))
}

/**
 * Scores between 0 and 1 for a colour scale, on the logarithm of the score: importance spans several powers of ten.
 * `layer` lets each layer use the whole scale, `all` compares layers. Groups that left score nothing, and take no part in
 * the range.
 */
export function scaled(rows: readonly HeatRow[], over: 'layer' | 'all'): (number | null)[][] {
  const logs = rows.map(({ scores, kept }) =>
    scores.map((score, cell) => (score !== null && score > 0 && (kept[cell] ?? 0) > 0 ? Math.log10(score) : null)),
  )
  const all = rangeOf(logs.flat())
  return logs.map((row) => {
    const [low, high] = over === 'all' ? all : rangeOf(row)
    return row.map((value) => (value === null ? null : high > low ? (value - low) / (high - low) : 1))
  })
}

/** Smallest and largest of the values; [0, 0] where there is none. */
function rangeOf(values: readonly (number | null)[]): [number, number] {
  const known = values.filter((value) => value !== null)
  return known.length > 0 ? [known.reduce((a, b) => Math.min(a, b)), known.reduce((a, b) => Math.max(a, b))] : [0, 0]
}

/** Cividis, which reads the same with and without colour blindness, at nine places: Nunez, Anderton and Renslow, 2018. */
const cividis = [
  [0, 34, 78],
  [18, 53, 112],
  [59, 73, 108],
  [87, 93, 109],
  [112, 113, 115],
  [138, 134, 120],
  [165, 156, 116],
  [195, 179, 105],
  [254, 232, 56],
] as const

/** The colour of a place on the scale from 0 (unimportant) to 1, as red, green and blue from 0 to 255. */
export function colourAt(place: number): [number, number, number] {
  const at = Math.min(1, Math.max(0, place)) * (cividis.length - 1)
  const below = cividis[Math.floor(at)] ?? cividis[0]
  const above = cividis[Math.ceil(at)] ?? below
  const part = at - Math.floor(at)
  const mix = (channel: 0 | 1 | 2) => Math.round(below[channel] + (above[channel] - below[channel]) * part)
  return [mix(0), mix(1), mix(2)]
}
