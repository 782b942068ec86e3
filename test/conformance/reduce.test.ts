import { type Tensor, tf } from '../../engine/tensor/tf.ts'
import type { Case } from './case.ts'
import { conform, floats, given, integers, shapes, truths } from './compare.ts'

type Reduce = (x: Tensor, axis?: number | number[], keepDims?: boolean) => Tensor
const reductions: Record<string, Reduce> = { sum: tf.sum, mean: tf.mean, max: tf.max, min: tf.min }

const cases: Case[] = []
for (const shape of shapes) {
  const rank = shape.length
  const axes: (number | number[] | undefined)[] = [undefined]
  if (rank > 0) axes.push(0, -1, [0, rank - 1])
  if (rank > 2) axes.push([1], [0, 1])
  for (const axis of new Set(axes.map((a) => JSON.stringify(a)))) {
    const parsed = axis === undefined ? undefined : (JSON.parse(axis) as number | number[])
    const unique = Array.isArray(parsed) ? [...new Set(parsed)] : parsed
    for (const [name, reduce] of Object.entries(reductions)) {
      const empty = shape.includes(0)
      if (empty && (name === 'max' || name === 'min')) continue
      for (const keepDims of [false, true]) {
        cases.push({
          name: `${name} over ${axis ?? 'all'}${keepDims ? ', kept' : ''}`,
          operands: [floats(shape)],
          compute: (x) => reduce(x, unique, keepDims),
          gradient: !empty,
        })
      }
      if (name !== 'mean')
        cases.push({
          name: `${name} over ${axis ?? 'all'}`,
          operands: [integers(shape, 9)],
          compute: (x) => reduce(x, unique),
        })
    }
    cases.push({ name: `prod over ${axis ?? 'all'}`, operands: [floats(shape)], compute: (x) => tf.prod(x, unique) })
    // tfjs's reference calls all of nothing false; true is what every other library says.
    if (!shape.includes(0))
      cases.push({ name: `all over ${axis ?? 'all'}`, operands: [truths(shape)], compute: (x) => tf.all(x, unique) })
    cases.push({ name: `any over ${axis ?? 'all'}`, operands: [truths(shape)], compute: (x) => tf.any(x, unique) })
  }
  if (rank > 0 && !shape.includes(0)) {
    for (const axis of [0, rank - 1]) {
      cases.push({ name: `argMax ${axis}`, operands: [floats(shape)], compute: (x) => tf.argMax(x, axis) })
      cases.push({ name: `argMin ${axis}`, operands: [floats(shape)], compute: (x) => tf.argMin(x, axis) })
      for (const exclusive of [false, true]) {
        for (const reverse of [false, true]) {
          const name = `cumsum ${axis} ${exclusive ? 'exclusive ' : ''}${reverse ? 'reverse' : ''}`
          cases.push({
            name,
            operands: [floats(shape)],
            compute: (x) => tf.cumsum(x, axis, exclusive, reverse),
            // tfjs's own gradient permutes the axes wrongly unless the last is summed.
            gradient: axis === rank - 1,
          })
        }
      }
    }
    cases.push({ name: 'softmax', operands: [floats(shape)], compute: (x) => tf.softmax(x), gradient: true })
    cases.push({ name: 'logSoftmax', operands: [floats(shape)], compute: (x) => tf.logSoftmax(x), gradient: true })
    cases.push({ name: 'logSumExp', operands: [floats(shape)], compute: (x) => tf.logSumExp(x, -1), gradient: true })
    cases.push({
      name: 'variance',
      operands: [floats(shape)],
      compute: (x) => tf.moments(x, -1).variance,
      gradient: true,
    })
  }
}
cases.push(
  { name: 'argMax of ties', operands: [given([1, 3, 3, 2, 3])], compute: (x) => tf.argMax(x) },
  { name: 'argMin of ties', operands: [given([1, 0, 0, 2, 0])], compute: (x) => tf.argMin(x) },
  { name: 'argMax of integers', operands: [integers([4, 5], 7)], compute: (x) => tf.argMax(x, 1) },
  { name: 'mean of integers', operands: [integers([3, 4], 9)], compute: (x) => tf.mean(x, 1) },
  { name: 'sum of truths', operands: [truths([3, 4])], compute: (x) => tf.sum(x, 0) },
  { name: 'cumsum of integers', operands: [integers([3, 4], 9)], compute: (x) => tf.cumsum(x, 1) },
  {
    name: 'softmax of large numbers',
    operands: [given([1000, 1001, -1000, 999], [2, 2])],
    compute: (x) => tf.softmax(x),
  },
  {
    name: 'softmax of masked numbers',
    operands: [given([1, -1e9, 3, -1e9], [2, 2])],
    compute: (x) => tf.softmax(x),
    gradient: true,
  },
  { name: 'norm', operands: [floats([3, 4])], compute: (x) => tf.norm(x), gradient: true },
)

conform(cases)
