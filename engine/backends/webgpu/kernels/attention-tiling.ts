import { lines } from './shared-bindings.ts'

/**
 * How a workgroup is laid out. Its lanes are a grid of `down` x `across`; each has four rows of the workgroup's own tile
 * against four columns of the other tile: 16 scores. The kernel decides which tile is of queries and which of keys.
 */
export interface Tiling {
  down: number
  across: number
  /** Vectors of a head, or rows of the other tile, that are in workgroup memory at once. */
  depth: number
  headSize: number
}

/** Vectors of four floats in a head; heads are read and written by vector. */
export const vectorsOf = ({ headSize }: Tiling) => Math.ceil(headSize / 4)
/** Vectors of a head that a lane holds, for each of its four rows. */
export const shareOf = (tiling: Tiling) => Math.ceil(vectorsOf(tiling) / tiling.across)
/** Vectors in a row of a bank: one more than are used, so that lanes that write to neighbouring rows use different banks. */
export const widthOf = (tiling: Tiling) => Math.max(4, shareOf(tiling)) * tiling.across + 1

/** Bytes of workgroup memory that the kernels take. */
export function workgroupBytes(tiling: Tiling): number {
  const { down, across, depth } = tiling
  return 16 * (depth * (4 * down + 1) + depth * widthOf(tiling) + 4 * across * (down + 1)) + 4
}

export const members = ['x', 'y', 'z', 'w']

/** Code for each of a lane's columns j, j + across, ...; n counts them, `column` is the place in the tile. */
export const columns = ({ across }: Tiling, text: (n: number, column: string) => string) =>
  lines(4, (n) => text(n, `j + ${n * across}u`))

/** Code for each vector that a lane holds of a row; s counts them. */
export const shares = (tiling: Tiling, text: (s: number, vector: string) => string) =>
  lines(shareOf(tiling), (s) => text(s, `j + ${s * tiling.across}u`))
