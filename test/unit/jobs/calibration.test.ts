import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { loadTokenizer } from '../../../engine/tokenizer/tokenizer.ts'
import { calibrationBatches, type CalibrationSettings } from '../../../engine/data/calibration.ts'
import { sample } from '../../e2e/secateur.ts'

const folder = mkdtempSync(join(tmpdir(), 'secateur-calibration-'))
after(() => rmSync(folder, { recursive: true }))
const tokenizer = await loadTokenizer(sample('model'))
const { signal } = new AbortController()

/** Texts that can be told apart by a letter that the others never have. */
const letters = ['a', 'e', 'o'] as const
const texts = letters.map((letter) => {
  const path = join(folder, `${letter}.txt`)
  const words = Array.from({ length: 4000 }, (_, i) => letter.repeat(1 + (i % 5)))
  writeFileSync(path, words.join(' '))
  return path
})

const draw = async (more: Partial<CalibrationSettings>) => {
  const settings = {
    calibrationData: texts,
    calibrationShares: [],
    calibrationSamples: 20,
    calibrationSequenceLength: undefined,
  }
  const rest = {
    data: [sample('train.jsonl')],
    field: undefined,
    maxDocuments: undefined,
    seed: 3,
    batchSize: 8,
    sequenceLength: 16,
  }
  const batches = await calibrationBatches({ ...settings, ...rest, ...more }, tokenizer, { signal })
  return batches.flatMap(({ ids, rows, length }) =>
    Array.from({ length: rows }, (_, row) => tokenizer.decode(Array.from(ids.slice(row * length, (row + 1) * length)))),
  )
}
const counts = (rows: readonly string[]) => letters.map((letter) => rows.filter((row) => row.includes(letter)).length)

test('calibration rows come from each text in its share of them, mixed, and by the seed', async () => {
  const shared = { calibrationShares: [0.5, 0.3, 0.2] }
  const rows = await draw(shared)
  assert.deepEqual(counts(rows), [10, 6, 4])
  assert.ok(rows.every((row) => letters.filter((letter) => row.includes(letter)).length === 1))
  const order = rows.map((row) => letters.findIndex((letter) => row.includes(letter)))
  assert.notDeepEqual(order, order.toSorted())
  assert.deepEqual(await draw(shared), rows)
  assert.notDeepEqual(await draw({ ...shared, seed: 4 }), rows)
})

test('without shares all texts count alike, and without texts the training data is drawn from', async () => {
  assert.deepEqual(counts(await draw({ calibrationSamples: 7 })), [3, 2, 2])
  const own = await draw({ calibrationData: [], calibrationSequenceLength: 32 })
  assert.equal(own.length, 20)
  assert.ok(own.some((row) => counts([row]).filter((count) => count > 0).length === 3))
})

test('shares that are not one for each text are refused', async () => {
  await assert.rejects(draw({ calibrationShares: [1, 2] }), { field: 'calibrationShares', message: /2 shares .* 3/ })
})
