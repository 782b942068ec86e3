import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { backendExtras } from '../../../engine/backends/extras.ts'
import { OnnxBackend } from '../../../engine/backends/onnx/backend.ts'
import { WeightRoom } from '../../../engine/backends/onnx/rows/bank.ts'
import { Crew } from '../../../engine/backends/onnx/rows/crew.ts'
import { fewRowsProduct } from '../../../engine/backends/onnx/rows/product.ts'
import { type Changes, KeyValueCache } from '../../../engine/evaluation/key-value-cache.ts'
import { createAdapter } from '../../../engine/lora/adapter.ts'
import { linearNames } from '../../../engine/models/tensors.ts'
import { Random } from '../../../engine/shared/random.ts'
import {
  frozenFloats,
  frozenWeight,
  type HeldWeight,
  movedTo,
  quantise,
  toFloat32,
} from '../../../engine/tensor/frozen-weight.ts'
import { tf } from '../../../engine/tensor/tf.ts'
import { assertWithin, openFixture, startBackend } from '../models/shared.ts'

before(startBackend)

/**
 * A weight in every form, with rows that end within a block and numbers that float16 holds as subnormal ones: one of so many.
 */
function weights(rows: number, columns: number, rarity: number): HeldWeight[] {
  const small = (i: number) => i % rarity === 3
  const floats = Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(i + 1) * (small(i) ? 2e-5 : 0.3))
  const stored = (dtype: 'float16' | 'bfloat16') => {
    const bits =
      dtype === 'float16'
        ? new Uint16Array(Float16Array.from(floats).buffer)
        : Uint16Array.from(new Uint32Array(floats.buffer), (each) => each >>> 16)
    return frozenWeight({ name: 'w', dtype, shape: [rows, columns], bytes: new Uint8Array(bits.buffer) })
  }
  const whole = frozenFloats(floats, rows, columns)
  return [whole, stored('float16'), stored('bfloat16'), quantise(whole)]
}

const crews = [new Crew(1), new Crew(3)]

for (const [outputs, inputs] of [
  [1, 1],
  [5, 20],
  [33, 100],
  // Enough for threads to take parts of it.
  [1031, 300],
] as const)
  test(`products of few rows with [${outputs}, ${inputs}] are those of matrices`, () => {
    const room = new WeightRoom()
    for (const weight of [...weights(outputs, inputs, 7), ...weights(outputs, inputs, 211)]) {
      const dense = toFloat32(weight)
      const placed = movedTo(room, weight)
      for (const rows of [1, 3, 4, weight.form === 'float32' ? 8 : 9]) {
        const x = Float32Array.from({ length: rows * inputs }, (_, i) => Math.cos(i))
        const wanted = Float32Array.from({ length: rows * outputs }, (_, at) => {
          const [row, output] = [Math.floor(at / outputs), at % outputs]
          let sum = 0
          for (let i = 0; i < inputs; i++) sum += x[row * inputs + i]! * dense[output * inputs + i]!
          return sum
        })
        const results = crews.map((crew) => fewRowsProduct(x, rows, placed, crew)!.slice())
        assertWithin(results[0]!, wanted, 1e-4, `${weight.form}, ${rows} rows`)
        assert.deepEqual(results[1], results[0])
        // What a row becomes does not depend on those beside it.
        const last = fewRowsProduct(x.subarray((rows - 1) * inputs), 1, placed, crews[0]!)!
        assert.deepEqual(last, results[0]!.slice((rows - 1) * outputs))
      }
    }
  })

// Many of the numbers are small in one case, and few in the other: each has a kernel of its own.
for (const columns of [1, 40])
  test(`every number of 16 bits is multiplied as what it is, one of ${columns} in a row`, () => {
    const finite = Uint16Array.from({ length: 2 ** 16 }, (_, bits) => bits).filter((bits) => (bits & 0x7c00) !== 0x7c00)
    const one = 0x3c00
    const bits = Uint16Array.from({ length: finite.length * columns }, (_, i) =>
      i % columns === 0 ? finite[i / columns]! : one,
    )
    const shape = [finite.length, columns]
    const weight = frozenWeight({ name: 'w', dtype: 'float16', shape, bytes: new Uint8Array(bits.buffer) })
    const x = Float32Array.from({ length: columns }, (_, i) => (i === 0 ? -1 : 0))
    const product = fewRowsProduct(x, 1, movedTo(new WeightRoom(), weight), crews[0]!)!
    const wrong = [...new Float16Array(finite.buffer)].filter((value, row) => product[row] !== -value)
    assert.deepEqual(wrong, [])
  })

test('many rows, and weights that lie elsewhere, are left to graphs', () => {
  const room = new WeightRoom()
  const [floats, halves] = weights(4, 4, 7)
  assert.equal(fewRowsProduct(new Float32Array(4), 1, floats!, crews[0]!), null)
  for (const [rows, weight] of [
    [9, floats],
    [17, halves],
  ] as const)
    assert.equal(fewRowsProduct(new Float32Array(4 * rows), rows, movedTo(room, weight!), crews[0]!), null)
})

for (const name of [
  'llama_gqa',
  'mistral_window',
  'secateur_ragged',
  'gemma3_text',
  'phi3_fused',
  'smollm3_nope',
  'qwen3_norm_headdim',
] as const)
  test(`${name}: what is computed token by token is what a prompt gives, and no graph is`, () => {
    const { model, fixture } = openFixture(name)
    const ids = [...fixture.ids[0]!, ...fixture.ids[1]!].slice(0, 14)
    const whole = new KeyValueCache(model, ids.length, {})
    const steps = new KeyValueCache(model, ids.length, {})
    let last = steps.prompt([ids.slice(0, 4)], 4)
    const { layers } = model.config
    const graphs = countingGraphs()
    for (const id of ids.slice(4)) last = steps.next([id])
    // Heads that read other keys than their neighbours' are left to graphs.
    if (layers.every(({ keyValueHeadOf }) => !keyValueHeadOf)) assert.equal(graphs(), 0)
    assertWithin(last, whole.prompt([ids], ids.length), 1e-4, 'logits')
    whole.dispose()
    steps.dispose()
  })

/** 0 for every third group of so many numbers. */
const withoutThirds = (groups: number, size: number) =>
  tf.tensor1d(Float32Array.from({ length: groups * size }, (_, i) => Number(Math.floor(i / size) % 3 !== 1)))

test('an adapter and groups that have left change a token as they change a prompt', () => {
  const { model, fixture } = openFixture('llama_gqa')
  const settings = { rank: 3, alpha: 6, dropout: 0, rankStabilised: false, targetModules: linearNames(model.config) }
  const adapter = createAdapter(model.config, settings, new Random(1))
  for (const matrices of adapter.layers.flatMap((layer) => Object.values(layer)))
    matrices!.b = tf.randomNormal(matrices!.b.shape, 0, 0.3, 'float32', 5)
  const masks = model.config.layers.map(({ heads, channels }) => {
    return { heads: withoutThirds(heads, model.config.headSize), channels: withoutThirds(channels, 1) }
  })
  const ids = fixture.ids[0]!.slice(0, 9)
  const logits = (changes: Changes, prompt: number) => {
    const cache = new KeyValueCache(model, ids.length, changes)
    let last = cache.prompt([ids.slice(0, prompt)], prompt)
    for (const id of ids.slice(prompt)) last = cache.next([id])
    cache.dispose()
    return last
  }
  const changed = logits({ adapter, masks }, 3)
  assertWithin(changed, logits({ adapter, masks }, ids.length), 1e-4, 'logits')
  const plain = logits({}, 3)
  assert.ok(changed.some((value, i) => Math.abs(value - plain[i]!) > 1e-2))
})

/** Counts what the back end compiles and runs. */
function countingGraphs(): () => number {
  const backend = tf.backend() as OnnxBackend
  const flush = backend.flush.bind(backend)
  let count = 0
  backend.flush = () => {
    if (backend.graph.length > 0) count++
    flush()
  }
  return () => {
    backend.flush = flush
    return count
  }
}

test('a back end that computes at once goes back to graphs', () => {
  const backend = tf.backend() as OnnxBackend
  assert.throws(() => backendExtras().atOnce(() => assert.fail('within')), /within/)
  assert.equal(backend.isDirect, false)
})
