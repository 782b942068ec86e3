import { type Tensor, tf } from '../../engine/tensor/tf.ts'
import type { Case } from './case.ts'
import { conform, floats, given, integers, positive, shapes, truths } from './compare.ts'

const everywhere: Record<string, (x: Tensor) => Tensor> = {
  abs: tf.abs,
  neg: tf.neg,
  square: tf.square,
  exp: tf.exp,
  expm1: tf.expm1,
  sin: tf.sin,
  cos: tf.cos,
  tan: (x) => tf.tan(tf.mul(x, 0.5)),
  sinh: tf.sinh,
  cosh: tf.cosh,
  tanh: tf.tanh,
  atan: tf.atan,
  asinh: tf.asinh,
  sigmoid: tf.sigmoid,
  softplus: tf.softplus,
  relu: tf.relu,
  relu6: (x) => tf.relu6(tf.mul(x, 5)),
  elu: tf.elu,
  selu: tf.selu,
  leakyRelu: (x) => tf.leakyRelu(x, 0.1),
  erf: tf.erf,
  clipByValue: (x) => tf.clipByValue(x, -0.7, 1.1),
  logSigmoid: tf.logSigmoid,
}
const withoutGradient: Record<string, (x: Tensor) => Tensor> = {
  floor: tf.floor,
  ceil: tf.ceil,
  round: tf.round,
  sign: tf.sign,
  step: (x) => tf.step(x, 0.25),
  zerosLike: tf.zerosLike,
  onesLike: tf.onesLike,
}
const abovezero: Record<string, (x: Tensor) => Tensor> = {
  sqrt: tf.sqrt,
  rsqrt: tf.rsqrt,
  log: tf.log,
  log1p: tf.log1p,
  reciprocal: tf.reciprocal,
  acosh: (x) => tf.acosh(tf.add(x, 1.5)),
}
const withinOne: Record<string, (x: Tensor) => Tensor> = { acos: tf.acos, asin: tf.asin, atanh: tf.atanh }

const cases: Case[] = []
for (const shape of shapes) {
  for (const [name, compute] of Object.entries(everywhere)) {
    cases.push({
      name,
      operands: [floats(shape)],
      compute: compute as Case['compute'],
      gradient: true,
      tolerance: 5e-6,
    })
  }
  for (const [name, compute] of Object.entries(abovezero)) {
    cases.push({ name, operands: [positive(shape)], compute, gradient: true, tolerance: 5e-6 })
  }
  for (const [name, compute] of Object.entries(withoutGradient)) {
    cases.push({ name, operands: [floats(shape)], compute })
  }
  for (const [name, compute] of Object.entries(withinOne)) {
    cases.push({ name, operands: [floats(shape, 3, 0.9)], compute, gradient: true, tolerance: 5e-6 })
  }
  cases.push({ name: 'logicalNot', operands: [truths(shape)], compute: tf.logicalNot })
  for (const from of [floats(shape), integers(shape, 5), truths(shape)]) {
    for (const to of ['float32', 'int32', 'bool'] as const) {
      cases.push({ name: `cast to ${to}`, operands: [from], compute: (x) => tf.cast(x, to) })
    }
  }
  for (const [name, compute] of Object.entries({
    abs: tf.abs,
    neg: tf.neg,
    square: tf.square,
    relu: tf.relu,
    sign: tf.sign,
  })) {
    const { values } = integers(shape, 9)
    cases.push({
      name,
      operands: [
        given(
          values.map((value) => value - 4),
          shape,
          'int32',
        ),
      ],
      compute: compute as Case['compute'],
    })
  }
}

const odd = given([0, -0, 1, -1, 0.5, 1.5, 2.5, -2.5, Number.NaN, Infinity, -Infinity, 1e-8, -1e-8, 100, -100, 3e38])
for (const [name, compute] of Object.entries({
  ...everywhere,
  ...withoutGradient,
  ...abovezero,
  isNaN: tf.isNaN,
  isInf: tf.isInf,
  isFinite: tf.isFinite,
})) {
  cases.push({ name: `${name} of odd numbers`, operands: [odd], compute: compute as Case['compute'], tolerance: 5e-6 })
}
cases.push(
  {
    name: 'expm1 near zero',
    operands: [given([1e-7, -1e-7, 1e-4, 0.01])],
    compute: (x) => tf.mul(tf.expm1(x), 1e7),
    tolerance: 2e-6,
  },
  {
    name: 'log1p near zero',
    operands: [given([1e-7, -1e-7, 1e-4, 0.01])],
    compute: (x) => tf.mul(tf.log1p(x), 1e7),
    tolerance: 2e-6,
  },
)

conform(cases)
