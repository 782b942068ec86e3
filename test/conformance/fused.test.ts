import { before } from 'node:test'
import { registerFrozenComposites } from '../../engine/backends/frozen-composite.ts'
import {
  type FrozenForm,
  frozenFloats,
  type FrozenWeight,
  frozenWeight,
  quantise,
} from '../../engine/tensor/frozen-weight.ts'
import { attention } from '../../engine/ops/attention.ts'
import { withPlace, withRoom } from '../../engine/ops/cache.ts'
import { crossEntropy, labelLogLikelihoods } from '../../engine/ops/cross-entropy.ts'
import { gelu } from '../../engine/ops/gelu.ts'
import { gatedActivation } from '../../engine/ops/gated-activation.ts'
import { findTop } from '../../engine/ops/distil-top.ts'
import { lossOfHead } from '../../engine/ops/head-loss.ts'
import { adapterImportance } from '../../engine/ops/importance.ts'
import { layerNorm } from '../../engine/ops/layer-norm.ts'
import { embed, linears } from '../../engine/ops/linear.ts'
import { rmsNorm } from '../../engine/ops/rms-norm.ts'
import { rotary, rotaryFrequencies, rotaryTable } from '../../engine/ops/rotary.ts'
import { adamSteps, scaleAll, stepScalars, sumOfSquares } from '../../engine/training/adamw.ts'
import { type Tensor, tf } from '../../engine/tensor/tf.ts'
import { registerRoundedProducts } from '../rounded-products.ts'
import { testsHalfPrecision } from '../tested-backend.ts'
import type { Case, Operand } from './case.ts'
import { conform, floats, given, integers, positive } from './compare.ts'

const cases: Case[] = []
const add = (name: string, operands: Case['operands'], compute: Case['compute'], gradient = true, tolerance = 1e-5) =>
  cases.push({ name, operands, compute, gradient, tolerance })

/** A tensor that gradients may read after the operation that took it. */
const constant = ({ values, shape, dtype }: Operand) => tf.keep(tf.tensor(values, shape, dtype))
before(() => {
  registerFrozenComposites('cpu')
  // What a card computes of 16-bit floats is compared with what the processor computes of the same.
  if (testsHalfPrecision) registerRoundedProducts()
})

add(
  'sum of squares of 20 tensors',
  Array.from({ length: 20 }, (_, i) => floats([1 + 37 * i, 1 + (i % 3)], i)),
  (...tensors) => sumOfSquares(tensors),
  false,
)

add(
  'a token in a cache of keys',
  [floats([2, 3, 2, 5]), floats([2, 1, 2, 5], 2)],
  (cache, more) => withPlace(withRoom(cache, 7), more, tf.tensor1d([4], 'int32')),
  false,
)

for (const shape of [
  [1, 1],
  [5, 7],
  [3, 64],
  [70, 130],
  [2, 1500],
]) {
  add('rmsNorm', [floats(shape), floats([shape[1]!], 2)], (x, weight) => rmsNorm(x, weight, 1e-5))
  add(
    'layerNorm',
    [floats(shape), floats([shape[1]!], 2), floats([shape[1]!], 3)],
    (x, weight, bias) => layerNorm(x, weight, bias, 1e-5),
    true,
    // A row of one number is its own mean: what is left is rounding, which 1 / sqrt(epsilon) enlarges.
    shape[1] === 1 ? 1e-4 : 1e-5,
  )
  add('gelu', [floats(shape, 1, 6)], gelu)
  for (const activation of ['silu', 'gelu-tanh'] as const)
    add(`gated activation, ${activation}`, [floats(shape, 1, 6), floats(shape, 2)], (gate, up) =>
      gatedActivation(gate, up, activation),
    )
}

for (const [rows, length, heads, headSize, tableRows] of [
  [1, 1, 1, 2, 1],
  [2, 3, 5, 6, 1],
  [3, 7, 2, 10, 3],
] as const) {
  const positions = Array.from({ length: tableRows * length }, (_, i) => (i * 7) % 11)
  add('rotary', [floats([rows, length, heads, headSize])], (x) => {
    const table = rotaryTable(rotaryFrequencies(headSize, 10000, null), positions, tableRows, 0.5)
    tf.keep(table.cosine)
    tf.keep(table.sine)
    return rotary(x, table)
  })
}

for (const [rows, queries, keys, heads, keyValueHeads, headSize, biasRows] of [
  // Of the sizes of heads that test/unit/models/llama.test.ts has: each is a kernel of its own, which takes seconds to compile.
  [2, 5, 5, 4, 2, 6, 1],
  [1, 19, 19, 3, 1, 33, 1],
  // Long enough to be taken in two and three pieces.
  [1, 128, 128, 2, 2, 8, 1],
  [2, 192, 192, 4, 2, 6, 2],
  // Grouped queries, and a last tile that is cut, of queries and of keys.
  [1, 150, 150, 4, 1, 8, 1],
  [2, 37, 37, 3, 1, 64, 2],
  [1, 33, 33, 2, 2, 96, 1],
  [1, 70, 70, 2, 1, 128, 1],
  // Fewer queries than keys, as when tokens are generated.
  [2, 1, 40, 6, 3, 6, 2],
  [2, 1, 300, 2, 1, 128, 2],
  [2, 7, 140, 4, 2, 8, 2],
  // So many that a card takes them in pieces, of which the second row hides some altogether and the last is one key, or cut.
  [2, 1, 640, 4, 4, 16, 2],
  [2, 1, 641, 6, 1, 128, 2],
  [1, 1, 1100, 4, 2, 20, 1],
  [1, 1, 700, 5, 1, 512, 1],
  [2, 1, 513, 3, 1, 6, 2],
] as const) {
  const bias = given(
    Array.from({ length: biasRows * queries * keys }, (_, i) => {
      const [row, query, key] = [Math.floor(i / keys / queries), Math.floor(i / keys) % queries, i % keys]
      const own = query + keys - queries
      // Causal where the queries are the last positions, with holes, and keys that the second row hides, whole tiles in some.
      const hidden = key % 5 === 3 || key < 0.4 * row * keys
      return key === own || (key < own && !hidden) ? 0 : -1e9
    }),
    [biasRows, 1, queries, keys],
  )
  const operands = [
    // The scale is in the queries.
    floats([rows, queries, heads, headSize], 1, 2 / Math.sqrt(headSize)),
    floats([rows, keys, keyValueHeads, headSize], 2, 1),
    floats([rows, keys, keyValueHeads, headSize], 3),
  ]
  add(
    `attention with ${keyValueHeads} key/value heads of ${headSize}`,
    operands,
    (q, k, v) =>
      attention(q, k, v, constant(bias), {
        rows,
        queries,
        keys,
        heads,
        keyValueHeads,
        headSize,
        causal: queries === keys,
      }),
    // A single query is a token that is generated: one case is differentiated all the same.
    queries > 1 || keys === 40,
    3e-5,
  )
}

// Every position looks at every other one, as in an encoder.
for (const [rows, length, heads, headSize] of [
  [2, 17, 3, 8],
  // More than a tile of a card, the last one cut.
  [1, 70, 2, 64],
] as const) {
  const shape = { rows, queries: length, keys: length, heads, keyValueHeads: heads, headSize, causal: false }
  add(
    `bidirectional attention with ${heads} heads of ${headSize}`,
    [
      floats([rows, length, heads, headSize], 1, 2 / Math.sqrt(headSize)),
      floats([rows, length, heads, headSize], 2, 1),
      floats([rows, length, heads, headSize], 3),
    ],
    (q, k, v) => attention(q, k, v, tf.keep(tf.zeros([1, 1, length, length])), shape),
    true,
    3e-5,
  )
}

for (const [n, vocabulary] of [
  [1, 2],
  [3, 7],
  [5, 300],
  [2, 1200],
] as const) {
  const labels = given(
    Array.from({ length: n }, (_, i) => (i === 1 ? -1 : (i * 37) % vocabulary)),
    [n],
    'int32',
  )
  add('crossEntropy', [floats([n, vocabulary], 1, 9)], (logits) =>
    crossEntropy(logits, constant(labels), constant(given([3], []))),
  )
  const known = labels.values.map((label) => Math.max(0, label))
  add(
    'labelLogLikelihoods',
    [floats([n, vocabulary], 1, 9)],
    (logits) => labelLogLikelihoods(logits, tf.tensor1d(known, 'int32')),
    false,
  )
}

for (const [form, vocabulary, hidden, n, rows] of [
  ['float32', 40, 12, 8, 8],
  ['float32', 40, 12, 8, 2],
  ['float32', 40, 12, 8, 1],
  ['float16', 301, 33, 66, 66],
  ['bfloat16', 1203, 20, 6, 3],
  ['float32', 2, 5, 3, 3],
  // So deep, back through the head, that a card sums over pieces of it, the last one cut.
  ['float16', 4703, 12, 5, 5],
] as const) {
  const weight = weightOf(vocabulary, hidden, form)
  const labels = given(
    Array.from({ length: n }, (_, i) => (i % 4 === 1 ? -1 : (i * 37 + vocabulary - 1) % vocabulary)),
    [n],
    'int32',
  )
  add(`loss of the head in ${form} [${vocabulary}, ${hidden}], ${rows} rows at once`, [floats([n, hidden])], (x) => {
    const head = { norm: constant(positive([hidden], 2)), epsilon: 1e-5, weight }
    return lossOfHead(x, head, constant(labels), constant(given([6], [])), rows)
  })
}

for (const [form, vocabulary, hidden, taught, n, rows, share, temperature, states] of [
  ['float32', 40, 12, 12, 8, 8, 1, 1, 0],
  ['float32', 40, 12, 12, 8, 2, 0.3, 1, 0.7],
  ['float16', 301, 33, 20, 66, 66, 0.5, 2, 0],
  ['int8', 301, 20, 33, 6, 3, 1, 0.5, 0],
] as const) {
  const [weight, teacherWeight] = [weightOf(vocabulary, hidden, form), weightOf(vocabulary, taught, form, 10)]
  const labels = given(
    Array.from({ length: n }, (_, i) => (i % 4 === 1 ? -1 : (i * 37 + vocabulary - 1) % vocabulary)),
    [n],
    'int32',
  )
  const name = `loss against a teacher in ${form} [${vocabulary}, ${hidden}], share ${share}, temperature ${temperature}, hidden states ${states}`
  add(name, [floats([n, hidden])], (x) => {
    const head = { norm: constant(positive([hidden], 2)), epsilon: 1e-5, weight }
    const teacherHead = { norm: constant(positive([taught], 3)), epsilon: 1e-6, weight: teacherWeight }
    const teacher = { x: constant(floats([n, taught], 4, 3)), head: teacherHead, share, temperature, hidden: states }
    return lossOfHead(x, head, constant(labels), constant(given([6], [])), rows, teacher)
  })
  const k = 5
  const top = { k, ids: new Int32Array(n * k), shares: new Float32Array(n * k) }
  findTop(Float32Array.from(floats([n, vocabulary], 8, 3).values), vocabulary, temperature, top, 0)
  add(`${name}, its likeliest tokens`, [floats([n, hidden])], (x) => {
    const head = { norm: constant(positive([hidden], 2)), epsilon: 1e-5, weight }
    const teacher = { top, share, temperature, hidden: 0 }
    return lossOfHead(x, head, constant(labels), constant(given([6], [])), rows, teacher)
  })
}

for (const shapes of [
  [[1]],
  [
    [3, 5],
    [300, 7],
  ],
  Array.from({ length: 9 }, (_, i) => [1 + 37 * i, 4 - (i % 3)]),
]) {
  const settings = { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1 }
  add(
    'adamSteps',
    shapes.flatMap((shape) => [floats(shape), floats(shape, 2), positive(shape, 3), floats(shape, 4)]),
    (...operands) =>
      adamSteps(
        shapes.map((_, i) => {
          const [value, first, second, gradient] = operands.slice(4 * i) as [Tensor, Tensor, Tensor, Tensor]
          return { value, first, second, gradient }
        }),
        settings,
        stepScalars(settings, 3, 0.01),
      ).flatMap(({ first, second, value }) => [first, second, value]),
    false,
  )
}
add(
  'scaleAll, of tensors that others hold too',
  Array.from({ length: 20 }, (_, i) => floats([1 + 37 * i, 1 + (i % 3)], i)),
  (...tensors) => {
    const held = tf.clone(tensors[3]!)
    return [...scaleAll(tensors, 0.3), held]
  },
  false,
)

/** A frozen weight of a form, with the same values in every test. */
function weightOf(rows: number, columns: number, form: FrozenForm, seed = 9): FrozenWeight {
  const values = Float32Array.from(floats([rows, columns], seed, 0.1).values)
  if (form === 'float32') return frozenFloats(values, rows, columns)
  if (form === 'int8') return quantise(frozenFloats(values, rows, columns))
  const bits =
    form === 'float16'
      ? new Uint16Array(Float16Array.from(values).buffer)
      : Uint16Array.from(new Uint32Array(values.buffer), (word) => word >>> 16)
  return frozenWeight({ name: 'weight', dtype: form, shape: [rows, columns], bytes: new Uint8Array(bits.buffer) })
}
const forms: FrozenForm[] = ['float32', 'float16', 'bfloat16', 'int8']

for (const form of forms) {
  for (const [n, inputs, outputs] of [
    [3, 5, 7],
    [70, 132, 68],
    // One row, as when tokens are generated.
    [1, 132, 68],
    [1, 301, 35],
    [1, 3, 1],
  ] as const) {
    const weight = weightOf(outputs, inputs, form)
    add(`frozen linear layer in ${form} [${outputs}, ${inputs}]`, [floats([n, inputs])], (x) =>
      linears(x, [{ linear: { weight, bias: null } }]),
    )
  }
  const table = weightOf(11, 13, form)
  add(`embedding in ${form}`, [integers([9], 11)], (ids) => embed(ids, table), false)
}

for (const form of ['float16', 'int8'] as const) {
  for (const keep of [false, true]) {
    for (const [n, inputs, outputs, rank] of [
      [21, 68, [36, 12, 12], 8],
      [66, 33, [70], 11],
      [1, 33, [70, 6], 5],
      // Longer than the lanes of a workgroup are wide, and ranks that one block does not hold.
      [9, 532, [530, 301], 12],
      [5, 131, [259], 64],
      [70, 40, [35, 48], 3],
    ] as const) {
      const weights = outputs.map((size, i) => weightOf(size, inputs, form, 10 + i))
      const mask = given(
        floats([n, inputs], 5).values.map((value) => (value > -1 ? 1.25 : 0)),
        [n, inputs],
      )
      const layersOf = (matrices: Tensor[]) =>
        weights.map((weight, i) => ({
          linear: { weight, bias: null },
          lowRank: {
            a: matrices[2 * i]!,
            b: matrices[2 * i + 1]!,
            scale: 0.5 + i,
            ...(keep && { keep: constant(mask) }),
          },
        }))
      add(
        `${outputs.length} adapted linear layers in ${form}${keep ? ' with dropout' : ''}`,
        [
          floats([n, inputs]),
          ...outputs.flatMap((size, i) => [floats([rank, inputs], 20 + i, 0.5), floats([size, rank], 30 + i, 0.5)]),
        ],
        (x, ...matrices) => linears(x, layersOf(matrices)),
        true,
        3e-5,
      )
    }
  }
}

for (const form of forms) {
  for (const along of ['rows', 'columns'] as const) {
    for (const [outputs, inputs, rank] of [
      [7, 5, 3],
      [70, 300, 8],
      [300, 34, 17],
      [11, 524, 66],
    ] as const) {
      const weight = weightOf(outputs, inputs, form)
      for (const power of [1, 2] as const)
        add(
          `importance of ${along} in ${form}, power ${power}`,
          [
            floats([rank, inputs], 1, 0.3),
            floats([outputs, rank], 2, 0.3),
            floats([rank, inputs], 3, 0.3),
            floats([outputs, rank], 4, 0.3),
          ],
          (a, b, gradientA, gradientB) =>
            adapterImportance(weight, { a, b }, { a: gradientA, b: gradientB }, 2, power, along),
          false,
        )
    }
  }
}

conform(cases)
