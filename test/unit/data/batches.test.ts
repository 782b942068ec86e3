import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type BatchOptions, type TokenBatch, makeBatches } from '../../../engine/data/batches.ts'
import type { EncodedExample } from '../../../engine/data/example.ts'
import { Random } from '../../../engine/shared/random.ts'

const padId = 999_999

/** An example whose ids say which example and place they are: 1000 * number + place. Its first half is only read. */
function example(number: number, length: number, trainedFrom = 1): EncodedExample {
  const ids = Int32Array.from({ length }, (_, place) => 1000 * number + place)
  return { ids, trained: Uint8Array.from({ length }, (_, place) => Number(place >= trainedFrom)) }
}

function examplesOf(count: number, longest: number): EncodedExample[] {
  const random = new Random(3)
  return Array.from({ length: count }, (_, number) => {
    const length = 2 + random.integer(longest - 1)
    return example(number + 1, length, 1 + random.integer(length - 1))
  })
}

const labelsOf = (examples: EncodedExample[]) =>
  examples.flatMap(({ ids, trained }) => [...ids].filter((_, place) => place > 0 && trained[place] === 1))

const taken = (batch: TokenBatch) => [...batch.labels].filter((label) => label >= 0)
const ascending = (numbers: Iterable<number>) => [...numbers].toSorted((a, b) => a - b)
const rowsOf = (batch: TokenBatch, values: Int32Array) =>
  Array.from({ length: batch.rows }, (_, row) => [...values.subarray(row * batch.length, (row + 1) * batch.length)])

const modes: BatchOptions['mode'][] = ['pack', 'pack-documents', 'pad']

for (const mode of modes) {
  describe(mode, () => {
    const examples = examplesOf(101, 60)
    const options: BatchOptions = { rows: 4, length: 64, seed: 5, mode, padId }
    const batches = makeBatches(examples, options)

    test('a batch follows from seed and number alone, in whatever order it is asked for', () => {
      const numbers = [0, 1, 2, batches.perEpoch - 1, batches.perEpoch, 7 * batches.perEpoch + 3]
      const forward = numbers.map((number) => batches.at(number))
      const backward = numbers.toReversed().map((number) => makeBatches(examples, options).at(number))
      assert.deepEqual(backward.toReversed(), forward)
      assert.notDeepEqual(makeBatches(examples, { ...options, seed: 6 }).at(0), forward[0])
      assert.notDeepEqual(batches.at(0), batches.at(batches.perEpoch))
    })

    test('every batch is full: shapes, targets and layout agree', () => {
      for (let number = 0; number < 2 * batches.perEpoch; number++) {
        const batch = batches.at(number)
        assert.equal(batch.rows, 4)
        assert.equal(batch.ids.length, 4 * batch.length)
        assert.equal(batch.labels.length, 4 * batch.length)
        assert.equal(taken(batch).length, batch.targets)
        assert.ok(batch.targets > 0)
        assert.ok(!batch.labels.includes(padId))
        for (const row of rowsOf(batch, batch.ids)) assert.notEqual(row[0], padId)
      }
    })

    test('a label is the token that follows in its document', () => {
      for (let number = 0; number < batches.perEpoch; number++) {
        const { ids, labels } = batches.at(number)
        for (const [position, label] of labels.entries()) if (label >= 0) assert.equal(label, ids[position]! + 1)
      }
    })

    test('four passes over rows that fill batches evenly take every label exactly four times', () => {
      // Four passes end at a batch's end whatever the rows of one pass are, for there are four rows in a batch.
      const passes = 4
      const one = labelsOf(examples)
      const seen: number[] = []
      const rowsInPasses = rowsPerEpoch(examples, options) * passes
      for (let number = 0; number < rowsInPasses / options.rows; number++) seen.push(...taken(batches.at(number)))
      const expected = ascending(Array.from({ length: passes }, () => one).flat())
      // The last row of a packed pass goes on with the start of its stream.
      if (mode === 'pack') {
        const counts = new Map<number, number>()
        for (const label of seen) counts.set(label, (counts.get(label) ?? 0) + 1)
        assert.ok(one.every((label) => counts.get(label)! >= passes))
        assert.ok(seen.length - expected.length <= passes * options.length)
      } else assert.deepEqual(ascending(seen), expected)
    })

    test('settings and data that cannot work are refused', () => {
      assert.throws(() => makeBatches([], options), /data: holds no example/)
      assert.throws(() => makeBatches([example(1, 1)], options), /data: holds no example/)
      for (const rows of [0, 1.5, NaN])
        assert.throws(() => makeBatches(examples, { ...options, rows }), /rows: must be/)
      assert.throws(() => makeBatches(examples, { ...options, length: 0 }), /length: must be/)
      for (const number of [-1, 0.5, NaN]) assert.throws(() => batches.at(number), RangeError)
    })

    test('data smaller than a batch is repeated', () => {
      const tiny = makeBatches([example(1, 3), example(2, 2)], options)
      assert.equal(tiny.perEpoch, 1)
      for (let number = 0; number < 9; number++) assert.ok(tiny.at(number).targets > 0)
    })
  })
}

/** Rows of a pass, counted from outside: batches come in the same order with one row each. */
function rowsPerEpoch(examples: EncodedExample[], options: BatchOptions): number {
  return makeBatches(examples, { ...options, rows: 1 }).perEpoch
}

test('pack: rows of one document are its stretches, each label the true next token, in a shuffled order', () => {
  const one = makeBatches([example(0, 100)], { rows: 1, length: 10, seed: 1, mode: 'pack', padId })
  assert.deepEqual([one.perEpoch, one.tokensPerEpoch], [10, 100])
  const rows = Array.from({ length: 10 }, (_, number) => one.at(number))
  const starts = rows.map((row) => row.ids[0]!)
  assert.deepEqual(ascending(starts), [0, 10, 20, 30, 40, 50, 60, 70, 80, 90])
  assert.notDeepEqual(starts, ascending(starts))
  for (const row of rows) {
    const start = row.ids[0]!
    assert.deepEqual(
      [...row.ids],
      [...Array(10).keys()].map((index) => start + index),
    )
    // The document's last token is followed by its first, which is never learnt.
    const labels = [...Array(10).keys()].map((index) => (start + index === 99 ? -1 : start + index + 1))
    assert.deepEqual([...row.labels], labels)
    assert.deepEqual([row.segments, row.positions], [null, null])
  }
})

test('pack: documents follow one another in another order in every pass', () => {
  const examples = Array.from({ length: 20 }, (_, number) => example(number, 5))
  const batches = makeBatches(examples, { rows: 1, length: 100, seed: 1, mode: 'pack', padId })
  const orders = [0, 1, 2].map((number) => [...batches.at(number).ids].filter((id) => id % 1000 === 0))
  for (const order of orders) assert.deepEqual(ascending(order), ascending(examples.map(({ ids }) => ids[0]!)))
  assert.equal(new Set(orders.map((order) => order.join())).size, 3)
})

test('pack-documents: segments and positions of a row written out', () => {
  const examples = [example(1, 5), example(2, 4), example(3, 13)]
  const batches = makeBatches(examples, { rows: 1, length: 8, seed: 1, mode: 'pack-documents', padId })
  assert.equal(batches.perEpoch, 3)
  const rows = [0, 1, 2].map((number) => batches.at(number)).toSorted((a, b) => a.ids[0]! - b.ids[0]!)
  // 12 positions of the third document are divided into 8 and 4, which share a row with another 4, and 3 are left.
  const pieces = rows.map((row) => [...row.ids])
  assert.deepEqual(
    pieces.find((ids) => ids[0] === 3000),
    [3000, 3001, 3002, 3003, 3004, 3005, 3006, 3007],
  )
  const whole = rows.find((row) => row.ids[0] === 3000)!
  assert.deepEqual([...whole.labels], [3001, 3002, 3003, 3004, 3005, 3006, 3007, 3008])
  const shared = rows.find((row) => row.ids.includes(3008))!
  assert.deepEqual([...shared.ids], [1000, 1001, 1002, 1003, 3008, 3009, 3010, 3011])
  assert.deepEqual([...shared.labels], [1001, 1002, 1003, 1004, 3009, 3010, 3011, 3012])
  assert.deepEqual([...shared.segments!], [1, 1, 1, 1, 2, 2, 2, 2])
  assert.deepEqual([...shared.positions!], [0, 1, 2, 3, 0, 1, 2, 3])
  const rest = rows.find((row) => row.ids[0] === 2000)!
  assert.deepEqual([...rest.ids], [2000, 2001, 2002, padId, padId, padId, padId, padId])
  assert.deepEqual([...rest.labels], [2001, 2002, 2003, -1, -1, -1, -1, -1])
  assert.deepEqual([...rest.segments!], [1, 1, 1, 0, 0, 0, 0, 0])
  assert.deepEqual([...rest.positions!], [0, 1, 2, 0, 0, 0, 0, 0])
})

test('pack-documents: little room is wasted', () => {
  const examples = examplesOf(2000, 200)
  const batches = makeBatches(examples, { rows: 8, length: 512, seed: 1, mode: 'pack-documents', padId })
  const positions = examples.reduce((sum, { ids }) => sum + ids.length - 1, 0)
  assert.ok(positions / (batches.perEpoch * 8 * 512) > 0.97)
})

test('pad: one example a row, cut at the length, few shapes, little padding', () => {
  const examples = [...examplesOf(3000, 300), example(4000, 900, 600)]
  const batches = makeBatches(examples, { rows: 8, length: 250, seed: 1, mode: 'pad', padId })
  const lengths = new Set<number>()
  let [padding, positions] = [0, 0]
  for (let number = 0; number < batches.perEpoch; number++) {
    const batch = batches.at(number)
    lengths.add(batch.length)
    positions += batch.ids.length
    for (const row of rowsOf(batch, batch.ids)) {
      const end = row.indexOf(padId) < 0 ? row.length : row.indexOf(padId)
      padding += row.length - end
      assert.ok(row.every((id, place) => id === (place < end ? row[0]! + place : padId)))
      assert.equal(row[0]! % 1000, 0)
    }
  }
  assert.deepEqual(
    ascending(lengths),
    [32, 64, 96, 128, 160, 192, 224, 250].filter((length) => lengths.has(length)),
  )
  assert.ok(padding / positions < 0.15, `${padding} of ${positions} positions are padding`)
})
