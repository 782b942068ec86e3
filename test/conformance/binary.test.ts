import { type Tensor, tf } from '../../engine/tensor/tf.ts'
import type { Case } from './case.ts'
import { conform, floats, given, integers, pairs, positive, truths } from './compare.ts'

type Binary = (a: Tensor, b: Tensor) => Tensor

const smooth: Record<string, Binary> = {
  add: tf.add,
  sub: tf.sub,
  mul: tf.mul,
  maximum: tf.maximum,
  minimum: tf.minimum,
  squaredDifference: tf.squaredDifference,
  prelu: tf.prelu,
}
const comparisons: Record<string, Binary> = {
  greater: tf.greater,
  greaterEqual: tf.greaterEqual,
  less: tf.less,
  lessEqual: tf.lessEqual,
  equal: tf.equal,
  notEqual: tf.notEqual,
}
const logical: Record<string, Binary> = { and: tf.logicalAnd, or: tf.logicalOr, xor: tf.logicalXor }
const whole: Record<string, Binary> = {
  add: tf.add,
  sub: tf.sub,
  mul: tf.mul,
  maximum: tf.maximum,
  minimum: tf.minimum,
  floorDiv: tf.floorDiv,
  mod: tf.mod,
  squaredDifference: tf.squaredDifference,
}

const cases: Case[] = []
for (const [left, right] of pairs) {
  // tfjs's own gradients of broadcasts over nothing have the wrong shape on every back end, and these of any broadcast.
  const gradient = !left.includes(0)
  const same = String(left) === String(right)
  const unreduced = ['maximum', 'minimum', 'squaredDifference']
  for (const [a, b] of [
    [left, right],
    [right, left],
  ] as const) {
    for (const [name, compute] of Object.entries(smooth)) {
      // prelu broadcasts its second operand alone.
      if (name === 'prelu' && (a.length < b.length || a.some((size, i) => size === 1 && (b.at(i - a.length) ?? 1) > 1)))
        continue
      cases.push({
        name,
        operands: [floats(a), floats(b, 2)],
        compute: compute as Case['compute'],
        gradient: gradient && (same || !unreduced.includes(name)),
        tolerance: 5e-6,
      })
    }
    cases.push(
      {
        name: 'div',
        operands: [floats(a), positive(b, 2)],
        compute: tf.div as Case['compute'],
        gradient,
        tolerance: 1e-5,
      },
      {
        name: 'pow',
        operands: [positive(a), floats(b, 2)],
        compute: tf.pow as Case['compute'],
        gradient,
        tolerance: 1e-5,
      },
      {
        name: 'atan2',
        operands: [floats(a), floats(b, 2)],
        compute: tf.atan2 as Case['compute'],
        gradient,
        tolerance: 1e-5,
      },
      { name: 'mod', operands: [floats(a), floats(b, 2)], compute: tf.mod as Case['compute'], tolerance: 1e-5 },
      { name: 'floorDiv', operands: [floats(a), floats(b, 2)], compute: tf.floorDiv as Case['compute'] },
    )
    for (const [name, compute] of Object.entries(comparisons)) {
      cases.push({ name, operands: [integers(a, 3), integers(b, 3, 2)], compute: compute as Case['compute'] })
    }
    for (const [name, compute] of Object.entries(logical)) {
      cases.push({ name, operands: [truths(a), truths(b, 2)], compute: compute as Case['compute'] })
    }
  }
}
const signed = given([7, -7, 7, -7, 0, 5, 2147483647, -2147483648], [8], 'int32')
const divisors = given([2, 2, -2, -2, 3, 0, 10, 7], [8], 'int32')
for (const [name, compute] of Object.entries(whole)) {
  if (name !== 'mul' && name !== 'squaredDifference')
    cases.push({
      name: `${name} of signed integers`,
      operands: [signed, divisors],
      compute: compute as Case['compute'],
    })
  cases.push({ name, operands: [integers([3, 4], 9), integers([4], 9, 2)], compute: compute as Case['compute'] })
}
const odd = given([0, -0, 1, -1, NaN, Infinity, -Infinity, 2, NaN, 3])
const others = given([0, 1, -0, NaN, NaN, -Infinity, Infinity, 0, 1, Infinity])
for (const [name, compute] of Object.entries({
  ...smooth,
  ...comparisons,
  div: tf.div,
  mod: tf.mod,
  pow: tf.pow,
})) {
  cases.push({ name: `${name} of odd numbers`, operands: [odd, others], compute: compute as Case['compute'] })
}
cases.push(
  { name: 'mixed types', operands: [integers([3], 5), floats([3])], compute: (a, b) => tf.add(a, b) },
  { name: 'truths to integers', operands: [truths([5]), integers([5], 3)], compute: (a, b) => tf.mul(a, b) },
  { name: 'less of floats', operands: [floats([4, 3]), floats([3], 5)], compute: (a, b) => tf.less(a, b) },
  { name: 'equal of truths', operands: [truths([9]), truths([9], 4)], compute: (a, b) => tf.equal(a, b) },
  {
    name: 'addN',
    operands: [floats([2, 3]), floats([2, 3], 2), floats([2, 3], 3)],
    compute: (...all) => tf.addN(all),
    gradient: true,
  },
  { name: 'pow of integers', operands: [integers([4], 5), integers([4], 4, 3)], compute: (a, b) => tf.pow(a, b) },
  {
    name: 'square root of a sum',
    operands: [positive([3]), positive([2, 1], 4)],
    compute: (a, b) => tf.sqrt(tf.add(tf.square(a), b)),
    gradient: true,
  },
)

conform(cases)
