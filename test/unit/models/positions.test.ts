import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Grid, type PositionFilter, resizePositions } from '../../../engine/models/positions.ts'

/** torch.nn.functional.interpolate (2.15) of `source` with mode bicubic, without and with antialias. */
const resized: [from: Grid, to: Grid, filter: PositionFilter, expected: number[]][] = [
  [
    [3, 4],
    [5, 6],
    'bicubic',
    [
      -1.211403, 0.302597, -0.989625, 0.549125, -0.52363, 1.004808, -0.048371, 1.501151, 0.417625, 0.135875, 0.639403,
      -1.386229, -0.292403, -0.307403, 0.072719, -0.079437, 0.175931, 0.400117, -0.43893, 0.945195, -0.335719, 0.407937,
      0.029403, -0.35169, 0.706597, -0.793403, 1.210938, -0.546875, 0.961806, -0.143519, -0.711805, 0.143518, -0.960938,
      0.546875, -0.456597, 0.793403, 0.220597, 0.205598, 0.585718, 0.609907, 0.68893, 0.610503, 0.07407, -0.316127,
      0.177282, -0.195906, 0.542403, 0.32459, -0.389403, 1.124598, -0.167625, 1.653688, 0.29837, 1.341917, 0.77363,
      -0.519917, 1.239625, -0.831688, 1.461403, -0.302597,
    ],
  ],
  [
    [3, 4],
    [5, 6],
    'antialiased',
    [
      -1.16497, 0.292577, -0.938402, 0.531354, -0.52376, 0.943036, -0.032844, 1.413292, 0.381798, 0.053829, 0.608366,
      -1.293756, -0.374313, -0.211999, -0.071554, 0.019535, 0.11099, 0.439716, -0.381513, 0.949199, -0.198968, 0.300154,
      0.10379, -0.425987, 0.717105, -0.782895, 1.117647, -0.544118, 1.002315, -0.166667, -0.752315, 0.166667, -0.867647,
      0.544118, -0.467105, 0.782895, 0.14621, 0.308524, 0.448968, 0.652327, 0.631512, 0.708411, 0.13901, -0.319574,
      0.321554, -0.18975, 0.624313, 0.2201, -0.358366, 1.099181, -0.131798, 1.511931, 0.282844, 1.359408, 0.77376,
      -0.552804, 1.188402, -0.705327, 1.41497, -0.292577,
    ],
  ],
  [
    [5, 6],
    [3, 3],
    'bicubic',
    [
      -0.094907, 0.026765, -0.271846, 0.312934, 1.051938, -0.105903, -0.046875, 1.460938, 1.257812, -0.757812,
      -0.960938, 0.546875, 0.605903, -0.551939, 0.187066, 0.771847, 0.473235, 0.594907,
    ],
  ],
  [
    [5, 6],
    [3, 3],
    'antialiased',
    [
      -0.066141, 0.163164, -0.091897, 0.306298, 0.774171, -0.140071, 0.303522, 0.586032, 0.279669, 0.220331, -0.086032,
      0.196478, 0.640071, -0.274171, 0.193702, 0.591897, 0.336836, 0.566141,
    ],
  ],
]

/** [rows, columns, 2] */
const source = ([rows, columns]: Grid): number[] =>
  Array.from({ length: rows * columns * 2 }, (_, at) => {
    const [row, column, k] = [Math.floor(at / 2 / columns), Math.floor(at / 2) % columns, at % 2]
    return ((row * 7 + column * 13 + k * 5) % 11) / 4 - 1
  })

test('learned positions are resized as transformers and timm resize them, all but those before the patches', () => {
  for (const [from, to, filter, expected] of resized) {
    const positions = Float32Array.from([5, 6, ...source(from)])
    const found = resizePositions(positions, 2, 1, from, to, filter)
    assert.deepEqual([...found.subarray(0, 2)], [5, 6])
    assert.equal(found.length, 2 + expected.length)
    for (const [i, value] of expected.entries())
      assert.ok(Math.abs(found[2 + i]! - value) < 3e-6, `${from} to ${to}, ${filter}: ${found[2 + i]} is not ${value}`)
  }
})
