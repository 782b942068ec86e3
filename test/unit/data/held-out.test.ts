import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type BatchOptions, makeBatches } from '../../../engine/data/batches.ts'
import { examplesWithout, holdOut } from '../../../engine/data/held-out.ts'
import { loadTrainingData } from '../../../engine/data/load.ts'
import { byteTokenizer } from './byte-tokenizer.ts'
import { temporaryFolder } from './temporary.ts'

const folder = temporaryFolder()

/** Thirty rows; every fifth is blank, every third longer than four pieces of 16 tokens. */
async function data(maxLength?: number) {
  const rows = Array.from({ length: 30 }, (_, row) => ({
    text: row % 5 === 4 ? ' ' : String.fromCharCode(65 + row).repeat(row % 3 === 0 ? 70 : 9),
  }))
  const file = folder.write('rows.jsonl', rows.map((row) => JSON.stringify(row)).join('\n'))
  return await loadTrainingData([file], {
    tokenizer: byteTokenizer(),
    ...(maxLength === undefined ? {} : { maxLength }),
  })
}

/** Which rows examples come from: each row is one letter. */
const lettersOf = (examples: readonly { ids: Int32Array }[]) =>
  [...new Set(examples.map(({ ids }) => ids[2]! - 6 - 64))].toSorted((a, b) => a - b)

test('rows are held out whole, as many as are asked for, by the seed, and training sees none of them', async () => {
  for (const maxLength of [undefined, 16]) {
    const whole = await data(maxLength)
    assert.equal(whole.documents, 24)
    for (const [share, count] of [
      [0.25, 6],
      [0.001, 1],
      [1, 1],
      [7, 7],
    ] as const) {
      const { training, heldOut, rows } = holdOut(whole, share, 3)
      assert.equal(rows.size, count)
      assert.deepEqual(
        lettersOf(heldOut),
        [...rows].toSorted((a, b) => a - b),
      )
      assert.equal(training.length + heldOut.length, whole.examples.length)
      assert.deepEqual(
        lettersOf(training).filter((row) => rows.has(row)),
        [],
      )
      assert.deepEqual(training, examplesWithout(whole, rows))
      assert.deepEqual(holdOut(whole, share, 3).rows, rows)
    }
    assert.notDeepEqual(holdOut(whole, 0.25, 4).rows, holdOut(whole, 0.25, 3).rows)
    // However texts are divided, the same rows are drawn.
    assert.deepEqual(holdOut(whole, 0.25, 3).rows, holdOut(await data(), 0.25, 3).rows)
    for (const share of [24, 0.99])
      assert.throws(() => holdOut(whole, share, 0), { field: 'validation', message: /of 24 rows would be held out/ })
  }
})

test('batches for one pass have each label once, in every packing', async () => {
  const { examples } = await data(16)
  const labels = examples.flatMap(({ ids, trained }) => [...ids].filter((_, at) => at > 0 && trained[at] === 1))
  for (const mode of ['pack', 'pack-documents', 'pad'] as const)
    for (const rows of [1, 4, 100]) {
      const options: BatchOptions = { rows, length: 24, seed: 2, mode, once: true, padId: 0 }
      const batches = makeBatches(examples, options)
      const all = Array.from({ length: batches.perEpoch }, (_, index) => batches.at(index))
      const taken = all.flatMap((batch) => [...batch.labels].filter((label) => label >= 0))
      assert.deepEqual(taken.toSorted(), labels.toSorted(), `${mode} ${rows}`)
      assert.equal(
        all.reduce((sum, { targets }) => sum + targets, 0),
        taken.length,
      )
      // Without it a last batch is filled up.
      const filled = makeBatches(examples, { ...options, once: false }).at(batches.perEpoch - 1)
      assert.ok(filled.targets >= all.at(-1)!.targets)
      assert.equal(filled.ids.length, all.at(-1)!.ids.length)
    }
})
