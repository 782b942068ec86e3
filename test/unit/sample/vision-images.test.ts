import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { decodeImage } from '../../../engine/data/images/decode.ts'
import { openImageSet } from '../../../engine/data/images/image-set.ts'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'
import type { EncoderConfig } from '../../../engine/models/encoder-config.ts'
import { drawn } from '../../../scripts/make-vision-sample/images.ts'
import { readme } from '../../../scripts/make-vision-sample/readme.ts'
import { files, visionSeed } from '../../../scripts/make-vision-sample/recipe.ts'
import { shapes } from '../../../scripts/make-vision-sample/shapes.ts'

const sample = join(import.meta.dirname, '../../../resources/sample-vit')
const { signal } = new AbortController()

test('the images in resources are those that the script draws', async () => {
  for (const part of ['train', 'test'] as const) {
    const { classes, images } = await openImageSet(sample, part, signal)
    assert.deepEqual(classes, shapes.map(({ name }) => name).toSorted())
    assert.equal(images.length, files[part] * shapes.length)
    // Of every class the first one and the last one.
    for (const shape of shapes)
      for (const number of [0, files[part] - 1]) {
        const file = join(sample, part, shape.name, `${String(number).padStart(3, '0')}.png`)
        assert.ok(images.some((image) => image.file === file))
        const { data } = await decodeImage(file)
        assert.ok(Buffer.from(data).equals(drawn(part, shape, number)), `${file}: run npm run make-vision-sample`)
      }
  }
  assert.equal(readFileSync(join(sample, 'README.md'), 'utf8'), readme(visionSeed))
})

test('no two images are alike, and all of them with the model take less than 4 MB', async () => {
  const names = readdirSync(sample, { recursive: true, encoding: 'utf8' }).map((name) => join(sample, name))
  const bytes = names.filter((name) => statSync(name).isFile()).reduce((sum, name) => sum + statSync(name).size, 0)
  assert.ok(bytes < 4e6, `${bytes} bytes`)
  const images = names.filter((name) => name.endsWith('.png'))
  assert.equal(new Set(images.map((name) => readFileSync(name, 'base64'))).size, images.length)
})

test('the model tells the classes of the images apart', () => {
  using checkpoint = openCheckpoint(join(sample, 'model'))
  const { labels } = checkpoint.config as EncoderConfig
  assert.deepEqual(
    labels,
    shapes.map(({ name }) => name),
  )
  assert.ok(existsSync(join(sample, 'model/preprocessor_config.json')))
})
