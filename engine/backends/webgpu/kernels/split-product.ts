import type { TensorInfo } from '../../../tensor/tf.ts'
import type { CardBackend } from '../backend.ts'
import { dispatch, groupsFor, sizeOf } from '../record.ts'
import { declarations, elementwise, floats } from '../wgsl.ts'
import { packedMultiple } from './pack-rows.ts'

/** Tiles of the result below which a card with a hundred multiprocessors has some that do nothing. */
const fewTiles = 128
/** Workgroups that fill such a card, two for each multiprocessor. */
const enoughGroups = 256
/** Whole tiles of every arithmetic, so many that writing and reading a piece's sums is a small part of its work. */
const leastDepth = 8 * packedMultiple

/**
 * Into how many pieces the depth of a product is split whose result has so many tiles, and the depth of each: the head's gradient
 * [rows, vocabulary] x [vocabulary, hidden] has few of them, each of which is a loop over the whole vocabulary.
 */
export function piecesOf(tiles: number, depth: number): { pieces: number; depth: number } {
  const most = tiles < fewTiles ? Math.min(Math.ceil(enoughGroups / tiles), Math.floor(depth / leastDepth)) : 1
  if (most <= 1) return { pieces: 1, depth }
  const each = Math.ceil(depth / most / packedMultiple) * packedMultiple
  return { pieces: Math.ceil(depth / each), depth: each }
}

const code = () => `
${declarations(floats('sums'), floats('y'), [
  ['count', 'u32'],
  ['pieces', 'u32'],
  ['accumulate', 'u32'],
])}
${elementwise(`
  var value = sums[index];
  for (var piece = 1u; piece < params.pieces; piece++) { value += sums[piece * params.count + index]; }
  if (params.accumulate == 1u) { value += y[index]; }
  y[index] = value;
`)}`

/** y [m, n] (+)= the sums of pieces [pieces, m, n], the first one first: the same bits in every run. */
export function addPieces(backend: CardBackend, sums: TensorInfo, y: TensorInfo, accumulate: boolean): void {
  const count = sizeOf(y.shape)
  dispatch(
    backend,
    { key: 'addPieces', code },
    [sums, y],
    [count, sums.shape[0]!, accumulate ? 1 : 0],
    groupsFor(count, 256),
  )
}
