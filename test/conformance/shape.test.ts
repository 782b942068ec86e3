import { type Tensor, tf } from '../../engine/tensor/tf.ts'
import type { Case } from './case.ts'
import { conform, floats, given, integers, shapes, truths } from './compare.ts'

const { fill } = tf
const cases: Case[] = []
const add = (name: string, operands: Case['operands'], compute: Case['compute'], gradient = true) =>
  cases.push({ name, operands, compute, gradient })
const anyRank = (x: unknown) => x as never

for (const shape of shapes) {
  const rank = shape.length
  const empty = shape.includes(0)
  add('clone', [floats(shape)], (x) => tf.clone(x))
  add('reshape', [floats(shape)], (x) => tf.reshape(x, [x.size, 1]))
  add('transpose', [floats(shape)], (x) => tf.transpose(x))
  if (rank === 0) continue
  add('rotated axes', [floats(shape)], (x) =>
    tf.transpose(
      x,
      shape.map((_, i) => (i + 1) % rank),
    ),
  )
  add('transposed integers', [integers(shape, 9)], (x) => tf.transpose(x), false)
  add('transposed truths', [truths(shape)], (x) => tf.transpose(x), false)
  add('expandDims', [floats(shape)], (x) => tf.expandDims(x, -1))
  add('reverse', [floats(shape)], (x) =>
    tf.reverse(
      x,
      [0, rank - 1].filter((axis, i) => i === 0 || axis > 0),
    ),
  )
  add(
    'tile',
    [floats(shape)],
    (x) =>
      tf.tile(
        x,
        shape.map((_, i) => (i % 2) + 1),
      ),
    rank < 5,
  )
  add(
    'tile integers',
    [integers(shape, 9)],
    (x) =>
      tf.tile(
        x,
        shape.map((_, i) => (i % 3) + 1),
      ),
    false,
  )
  add('stack', [floats(shape), floats(shape, 2)], (a, b) => tf.stack([a, b], -1))
  add('slice of everything', [floats(shape)], (x) =>
    tf.slice(
      x,
      shape.map(() => 0),
      shape,
    ),
  )
  if (empty) continue
  add('slice', [floats(shape)], (x) =>
    tf.slice(
      x,
      shape.map((size) => Math.floor(size / 2)),
      shape.map((size) => Math.ceil(size / 2)),
    ),
  )
  add('empty slice', [floats(shape)], (x) =>
    tf.slice(
      x,
      shape.map(() => 0),
      shape.map(() => 0),
    ),
  )
  add(
    'pad',
    [floats(shape)],
    (x) =>
      tf.pad(
        x,
        shape.map((_, i) => [i % 2, 1] as [number, number]),
        0.5,
      ),
    rank < 5,
  )
  add(
    'pad of integers',
    [integers(shape, 4)],
    (x) =>
      tf.pad(
        x,
        shape.map(() => [1, 0] as [number, number]),
        7,
      ),
    false,
  )
  for (const axis of [0, rank - 1]) {
    add(`concat ${axis}`, [floats(shape), floats(shape, 2), floats(shape.with(axis, 0))], (...all) =>
      tf.concat(all, axis),
    )
    add(`unstack ${axis}`, [floats(shape)], (x) => tf.unstack(x, axis), shape[axis]! > 1)
    add(`split ${axis}`, [floats(shape)], (x) => tf.split(x, shape[axis]!, axis), shape[axis]! > 1)
  }
  add('concat of integers', [integers(shape, 9), integers(shape, 9, 2)], (...all) => tf.concat(all, 0), false)
  add('concat of truths', [truths(shape), truths(shape, 2)], (...all) => tf.concat(all, 0), false)
  add('where', [truths(shape), floats(shape), floats(shape, 2)], (c, a, b) => tf.where(c, a, b), false)
  add(
    'where of integers',
    [truths(shape), integers(shape, 5), integers(shape, 9)],
    (c, a, b) => tf.where(c, a, b),
    false,
  )
  add('gradient of where', [floats(shape), floats(shape, 2)], (a, b) =>
    tf.where(tf.tensor(truths(shape).values, shape, 'bool'), a, tf.mul(b, 2)),
  )
  add(
    'topk',
    [floats(shape)],
    (x) => {
      const { values, indices } = tf.topk(x, Math.min(2, shape.at(-1)!))
      return [values, indices]
    },
    false,
  )
}

const matrix = floats([4, 6])
const cube = floats([3, 4, 5])
add('split by sizes', [matrix], (x) => tf.split(x, [1, 2, 3], 1))
add('strided slice', [cube], (x) => tf.stridedSlice(x, [0, 1, 4], [3, 4, 0], [2, 1, -2]), false)
add('strided slice to the start', [cube], (x) => tf.stridedSlice(x, [2, 3, 4], [0, 0, 0], [-1, -2, -1], 0, 7), false)
add(
  'strided slice that drops an axis',
  [cube],
  (x) => tf.stridedSlice(x, [1, 1, 0], [2, 3, 5], [1, 1, 1], 0, 0, 0, 0, 1),
  false,
)
add(
  'strided slice with a new axis',
  [cube],
  (x) => tf.stridedSlice(x, [0, 1, 0], [3, 2, 5], [1, 1, 2], 0, 0, 0, 2, 0),
  false,
)
add('mirror pad', [floats([3, 4])], (x) =>
  tf.mirrorPad(
    x,
    [
      [1, 2],
      [0, 1],
    ],
    'reflect',
  ),
)
add(
  'symmetric pad',
  [floats([3, 4])],
  (x) =>
    tf.mirrorPad(
      x,
      [
        [1, 2],
        [3, 1],
      ],
      'symmetric',
    ),
  false,
)
add('broadcastTo', [floats([3, 1])], (x) => tf.broadcastTo(x, [2, 3, 4]))
add('broadcast integers', [integers([1, 4], 9)], (x) => tf.broadcastTo(x, [3, 4]), false)
add('spaceToBatch', [floats([1, 4, 4, 2])], (x) =>
  tf.spaceToBatchND(
    x,
    [2, 2],
    [
      [0, 0],
      [2, 0],
    ],
  ),
)
add('batchToSpace', [floats([8, 2, 2, 1])], (x) =>
  tf.batchToSpaceND(
    x,
    [2, 2],
    [
      [0, 1],
      [1, 0],
    ],
  ),
)
add('depthToSpace', [floats([2, 2, 3, 8])], (x) => tf.depthToSpace(anyRank(x), 2), false)
add('fill', [], () => [fill([2, 3], 4), fill([2], 3, 'int32'), tf.zeros([2]), tf.ones([], 'bool')], false)
add(
  'range',
  [],
  () => [tf.range(0, 5), tf.range(5, 0, -2), tf.range(1, 2, 0.3), tf.linspace(0, 1, 5), tf.range(2, 2)],
  false,
)
add('diagonal by eye', [], () => [tf.eye(3), tf.eye(2, 3, [2])], false)

const indices = given([2, 0, 2, 1], [4], 'int32')
const grid = given([2, 0, 0, 1, 1, 2], [2, 3], 'int32')
add('gather', [floats([3, 5])], (x) => tf.gather(x, tf.tensor1d([2, 0, 2, 1], 'int32')))
add('gather along columns', [floats([2, 3, 4])], (x) => tf.gather(x, tf.tensor2d([2, 0, 0, 1], [2, 2], 'int32'), 1))
add('gather integers', [integers([3, 2], 50), indices], (x, at) => tf.gather(x, anyRank(at)), false)
add('gather with a scalar', [floats([3, 5])], (x) => tf.gather(x, tf.scalar(1, 'int32')))
add('gather nothing', [floats([3, 5]), given([], [0], 'int32')], (x, at) => tf.gather(x, anyRank(at)), false)
add('gather in batches', [floats([2, 3, 4]), grid], (x, at) => tf.gather(x, anyRank(at), 1, 1), false)
add('gather the last axis in batches', [floats([2, 3, 4]), grid], (x, at) => tf.gather(x, anyRank(at), 2, 1), false)
add('gatherND', [floats([3, 4, 2]), given([0, 1, 2, 3], [2, 2], 'int32')], (x, at) => tf.gatherND(x, at), false)
add(
  'gatherND of elements',
  [floats([3, 4]), given([0, 1, 2, 3], [2, 2], 'int32')],
  (x, at) => tf.gatherND(x, at),
  false,
)
add('scatterND', [given([4, 3, 1, 4], [4, 1], 'int32'), floats([4, 3])], (at, x) => tf.scatterND(at, x, [6, 3]), false)
add(
  'scatterND of elements',
  [given([0, 1, 2, 3, 0, 1], [3, 2], 'int32'), floats([3])],
  (at, x) => tf.scatterND(at, x, [3, 4]),
  false,
)
add(
  'scatterND of integers',
  [given([1, 1, 0], [3, 1], 'int32'), integers([3], 9)],
  (at, x) => tf.scatterND(at, x, [3]),
  false,
)
add(
  'tensorScatterUpdate',
  [floats([5]), given([1, 3], [2, 1], 'int32'), floats([2], 4)],
  (x, at, y) => tf.tensorScatterUpdate(x, at, y),
  false,
)
add(
  'unsortedSegmentSum',
  [floats([4, 3])],
  (x) => tf.unsortedSegmentSum(x, tf.tensor1d([2, 0, -1, 2], 'int32'), 4),
  false,
)
add('its gradient', [floats([4, 3])], (x) => tf.unsortedSegmentSum(x, tf.tensor1d([2, 0, 1, 2], 'int32'), 4))
add('oneHot', [given([0, 2, -1, 3, 1], [5], 'int32')], (at) => tf.oneHot(anyRank(at), 3), false)
add('oneHot with values', [grid], (at) => tf.oneHot(anyRank(at), 3, 0.9, 0.1, 'float32') as Tensor, false)
add(
  'rows by condition',
  [truths([3]), floats([3, 2]), floats([3, 2], 2)],
  (c, a, b) => tf.where(tf.expandDims(c, 1), a, b),
  false,
)
add('topk of ties', [given([1, 3, 3, 2, 3, 1], [2, 3])], (x) => tf.topk(x, 2).indices, false)
add('topk of integers', [integers([3, 5], 99)], (x) => tf.topk(x, 3).values, false)
add('bincount', [integers([7], 4), floats([7])], (x, weights) => tf.bincount(anyRank(x), anyRank(weights), 4), false)
add('bincount without weights', [integers([7], 4)], (x) => tf.bincount(anyRank(x), anyRank(tf.tensor1d([])), 4), false)

conform(cases)
