// What a graphics card promises of generation. Run by test/gpu/swiftshader.test.ts and `npm run test:gpu`.
import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import type { CardBackend } from '../../engine/backends/webgpu/backend.ts'
import { setWeightStore, weightsOf, WeightStore } from '../../engine/backends/webgpu/weights.ts'
import { KeyValueCache } from '../../engine/evaluation/key-value-cache.ts'
import { attention } from '../../engine/ops/attention.ts'
import { type Tensor, tf } from '../../engine/tensor/tf.ts'
import { assertWithin, openFixture, startBackend } from '../unit/models/shared.ts'

before(startBackend)

const card = () => tf.backend() as unknown as CardBackend
const memory = () => {
  const { numTensors, numDataBuffers } = tf.memory()
  return { numTensors, numDataBuffers, used: card().bufferManager.numBytesUsed }
}
/** The logits after each of the later ids, token by token. */
const byToken = (cache: KeyValueCache, ids: readonly number[], prompt: number) => {
  cache.prompt([ids.slice(0, prompt)], prompt)
  return ids.slice(prompt).map((id) => cache.next([id]))
}

for (const name of ['llama_gqa', 'gemma3_text', 'smollm3_nope'] as const)
  test(`${name}: a token that is sent again gives the logits of the whole text, with an adapter and masks`, () => {
    const { model, adapter, fixture } = openFixture(name)
    const masks = model.config.layers.map(({ heads, channels }, layer) => ({
      heads: tf.tensor1d(Array.from({ length: heads * model.config.headSize }, (_, i) => Number(i % 7 !== layer))),
      channels: tf.tensor1d(Array.from({ length: channels }, (_, i) => Number(i % 5 !== layer))),
    }))
    const changes = { adapter, masks }
    const ids = [...fixture.ids[0]!, ...fixture.ids[1]!].slice(0, 14)
    const prompt = 4
    // The first run uploads what is not on the card yet.
    byToken(new KeyValueCache(model, ids.length, changes), ids, prompt)
    const earlier = memory()
    const cache = new KeyValueCache(model, ids.length, changes)
    for (const [i, found] of byToken(cache, ids, prompt).entries()) {
      const whole = new KeyValueCache(model, ids.length, changes)
      const seen = ids.slice(0, prompt + i + 1)
      assertWithin(found, whole.prompt([seen], seen.length), 1e-4, `after ${seen.length} tokens`)
      whole.dispose()
    }
    cache.dispose()
    assert.deepEqual(memory(), earlier)
  })

/** Queries, keys and values of two rows. */
const numbersOf = (keys: number) => ({
  q: tf.randomNormal([2, 1, 4, 16], 0, 1, 'float32', 1) as Tensor,
  k: tf.randomNormal([2, keys, 2, 16], 0, 1, 'float32', 2) as Tensor,
  v: tf.randomNormal([2, keys, 2, 16], 0, 1, 'float32', 3) as Tensor,
})

type Attended = ReturnType<typeof attended>

/**
 * Attention of a row's query, so many times, of 4 heads of which 2 share keys, over so many keys; `sees` says what it looks at.
 * Gives the last of a row's queries.
 */
function attended(
  queries: number,
  keys: number,
  numbers: Record<'q' | 'k' | 'v', Tensor>,
  sees: (row: number, key: number) => boolean,
) {
  return tf.tidy(() => {
    const rows = 2
    const bias = Float32Array.from({ length: rows * queries * keys }, (_, i) =>
      sees(Math.floor(i / keys / queries), i % keys) ? 0 : -1e9,
    )
    const q = tf.tile(numbers.q, [1, queries, 1, 1])
    const longer = (x: Tensor) => {
      const around: [number, number][] = [0, keys - x.shape[1]!, 0, 0].map((after) => [0, after])
      return tf.pad(x, around)
    }
    const { dispatches } = card()
    const [k, v] = [longer(numbers.k), longer(numbers.v)]
    const padding = card().dispatches - dispatches
    const shape = { rows, queries, keys, heads: 4, keyValueHeads: 2, headSize: 16, causal: false }
    const context = attention(q, k, v, tf.tensor4d(bias, [rows, 1, queries, keys]), shape)
    const used = card().dispatches - dispatches - padding
    const last = tf.slice(tf.reshape(context, [rows, queries, 64]), [0, queries - 1, 0], [rows, 1, 64])
    return { values: Float32Array.from(last.dataSync()), used }
  })
}

test('attention over a long cache, in pieces of which most are empty, is that of one workgroup a head', () => {
  const keys = 512
  const numbers = numbersOf(keys)
  for (const [first, last] of [
    [0, 0],
    [0, 127],
    [0, 128],
    [100, 130],
    [127, 128],
    [256, 383],
    [300, 511],
    [511, 511],
  ] as const) {
    // The second row began later, or sees one key.
    const sees = (row: number, key: number) => key <= last && key >= Math.min(last, first + 5 * row)
    // Where there are several queries, one workgroup has all keys.
    const whole = attended(2, keys, numbers, sees)
    assert.equal(whole.used, 1)
    for (const more of [keys, keys + 1, 640, 1300]) {
      const pieces = attended(1, more, numbers, sees)
      assert.equal(pieces.used, 2, 'pieces, and what puts them together')
      assertWithin(pieces.values, whole.values, 2e-6, `keys ${first} to ${last} of ${more}`)
    }
  }
  tf.dispose(numbers)
})

test('few keys are left to one workgroup a head, more of them to pieces', () => {
  const numbers = numbersOf(64)
  const [few, more] = [64, 65].map((keys) => attended(1, keys, numbers, (_, key) => key < 64)) as [Attended, Attended]
  assert.deepEqual([few.used, more.used], [1, 2])
  assertWithin(more.values, few.values, 2e-6, '64 keys')
  tf.dispose(numbers)
})

test('tokens after a long prompt give the logits of the whole text, with windows too', () => {
  const { model, fixture } = openFixture('gemma3_text')
  const prompt = 530
  const ids = Array.from({ length: prompt + 3 }, (_, i) => fixture.ids[0]![(i * i) % fixture.ids[0]!.length]!)
  const cache = new KeyValueCache(model, 600, {})
  const found = byToken(cache, ids, prompt).at(-1)!
  const whole = new KeyValueCache(model, 600, {})
  assertWithin(found, whole.prompt([ids], ids.length), 1e-4, 'the last token')
  for (const each of [cache, whole]) each.dispose()
})

test('the host makes nothing anew for a token but its values', () => {
  const { model, fixture } = openFixture('llama_gqa')
  const { device } = card()
  const cache = new KeyValueCache(model, 40, {})
  cache.prompt([fixture.ids[0]!.slice(0, 4)], 4)
  cache.next([1])
  const { dispatches } = card()
  const made: string[] = []
  const methods = ['createBuffer', 'createBindGroup', 'createComputePipeline', 'createShaderModule'] as const
  for (const name of methods) {
    const real = device[name].bind(device) as (descriptor: never) => unknown
    device[name] = ((descriptor: never) => {
      made.push(name)
      return real(descriptor)
    }) as never
  }
  try {
    cache.next([2])
    const once = card().dispatches - dispatches
    cache.next([3])
    assert.equal(card().dispatches - dispatches, 2 * once)
    assert.ok(once <= 17 * model.config.layers.length + 5, `${once} dispatches`)
    assert.deepEqual(made, [])
  } finally {
    for (const name of methods) Reflect.deleteProperty(device, name)
    cache.dispose()
  }
})

test('a token is recorded again where weights have left the card meanwhile, and each time where they do not fit', () => {
  const { model, fixture } = openFixture('llama_gqa')
  const ids = fixture.ids[0]!.slice(0, 9)
  const store = weightsOf(card())
  try {
    setWeightStore(card(), new WeightStore(card()))
    const wanted = byToken(new KeyValueCache(model, ids.length, {}), ids, 3)
    const { bytes } = weightsOf(card())
    const cache = new KeyValueCache(model, ids.length, {})
    cache.prompt([ids.slice(0, 3)], 3)
    const found = ids.slice(3).map((id, i) => {
      if (i === 2) weightsOf(card()).delete([...model.layers][0]!.linears['q']!.weight.id as number)
      return cache.next([id])
    })
    assert.deepEqual(found, wanted)
    setWeightStore(card(), new WeightStore(card(), { budget: Math.floor(bytes / 2) }))
    assert.deepEqual(byToken(new KeyValueCache(model, ids.length, {}), ids, 3), wanted)
    assert.ok(weightsOf(card()).taken > 2 * ids.length, 'weights were streamed')
  } finally {
    setWeightStore(card(), store)
  }
})
