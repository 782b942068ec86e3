/**
 * How a workgroup is laid out. Its lanes are a grid of `down` x `across`; each has four rows of the workgroup's own tile
 * against four columns of the other tile: 16 scores. Which tile is of queries and which of keys is the kernel's matter.
 */
export interface Tiling {
  down: number
  across: number
  /** Vectors of a head, or rows of the other tile, that are in workgroup memory at once. */
  depth: number
  headSize: number
}

/** Four floats each: what a head's elements are read and written in. */
export const vectorsOf = ({ headSize }: Tiling) => Math.ceil(headSize / 4)
/** Vectors of a head that a lane has, in every one of its four rows. */
export const shareOf = (tiling: Tiling) => Math.ceil(vectorsOf(tiling) / tiling.across)
/** A row of a bank has one vector more than is used, so that lanes that write into neighbouring rows use different banks. */
export const widthOf = (tiling: Tiling) => Math.max(4, shareOf(tiling)) * tiling.across + 1

/** Bytes of workgroup memory that the kernels take. */
export function workgroupBytes(tiling: Tiling): number {
  const { down, across, depth } = tiling
  return 16 * (depth * (4 * down + 1) + depth * widthOf(tiling) + 4 * across * (down + 1)) + 4
}

/** Text for each of `count` things, so that what a lane holds is in named variables: an array would not be in registers. */
export const each = (count: number, text: (n: number) => string) =>
  Array.from({ length: count }, (_, n) => text(n)).join('\n')
export const members = ['x', 'y', 'z', 'w']

/** Columns j, j + across, ... of a lane: the text for each, n counting them and `column` being the place in the tile. */
export const columns = ({ across }: Tiling, text: (n: number, column: string) => string) =>
  each(4, (n) => text(n, `j + ${n * across}u`))

/** The vectors that a lane has of each of its rows: the text for each, s counting them. */
export const shares = (tiling: Tiling, text: (s: number, vector: string) => string) =>
  each(shareOf(tiling), (s) => text(s, `j + ${s * tiling.across}u`))
