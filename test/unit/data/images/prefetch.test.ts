import assert from 'node:assert/strict'
import { truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { imageBatches } from '../../../../engine/data/images/image-batches.ts'
import { prefetchedBatches } from '../../../../engine/data/images/prefetch.ts'
import { readPreprocessing } from '../../../../engine/data/images/preprocessing.ts'
import { readImages } from '../../../../engine/data/images/stored-images.ts'
import { scratch } from './image-files.ts'

const options = {
  rows: 3,
  length: 7,
  imageSize: [8, 12],
  patchSize: [4, 4],
  colours: 3,
  patchValues: 48,
  preprocessing: readPreprocessing('/nowhere', { source: {}, imageSize: [8, 12], colours: 3 }),
  augmentation: 'crop-and-flip',
  seed: 5,
} as const

function stored(count = 7) {
  const bytes = 8 * 12 * 3
  const file = join(scratch(), 'pixels')
  writeFileSync(
    file,
    Uint8Array.from({ length: count * bytes }, (_, i) => (i * 7919) % 251),
  )
  return { file, bytes, places: Int32Array.from({ length: count }, (_, i) => i), labels: new Int32Array(count).fill(2) }
}

test('batches that a thread makes ahead are the same, also after a jump', () => {
  const images = stored()
  using source = readImages(images)
  const expected = imageBatches(source, options)
  using found = prefetchedBatches(images, options, 0)
  for (const index of [0, 1, 2, 3, 4, 5, 9, 10, 11, 12, 0, 1, 1, 2])
    assert.deepEqual(found.at(index), expected.at(index), `batch ${index}`)
  assert.ok(found.waited > 0)
})

test('where the thread cannot read an image, the error is thrown where the batch is taken', () => {
  const images = stored()
  using found = prefetchedBatches(images, options, 0)
  found.at(0)
  truncateSync(images.file, 10)
  assert.throws(() => {
    for (let index = 1; index < 4; index++) found.at(index)
  }, /pixels: ends before image \d/)
})
