import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fitted, normalise, readPreprocessing } from '../../../../engine/data/images/preprocessing.ts'
import { fitPreprocessing } from '../../../../engine/data/images/write-preprocessing.ts'
import { scratch } from './image-files.ts'

function folderWith(fields: object): string {
  const folder = scratch()
  writeFileSync(join(folder, 'preprocessor_config.json'), JSON.stringify(fields))
  return folder
}

test("ViT's and DeiT's preprocessing is read from preprocessor_config.json", () => {
  const vit = {
    size: { height: 224, width: 224 },
    resample: 2,
    image_mean: [0.5, 0.5, 0.5],
    image_std: [0.5, 0.5, 0.5],
  }
  const folder = folderWith(vit)
  assert.deepEqual(readPreprocessing(folder, { source: {}, imageSize: [224, 224], colours: 3 }), {
    resize: { to: 'size', height: 224, width: 224 },
    filter: 'bilinear',
    crop: null,
    scale: 1 / 255,
    mean: [0.5, 0.5, 0.5],
    deviation: [0.5, 0.5, 0.5],
    source: join(folder, 'preprocessor_config.json'),
  })
  const deit = {
    size: { height: 256, width: 256 },
    resample: 3,
    do_center_crop: true,
    crop_size: { height: 224, width: 224 },
  }
  const found = readPreprocessing(folderWith(deit), { source: {}, imageSize: [224, 224], colours: 3 })
  assert.deepEqual(found.resize, { to: 'size', height: 256, width: 256 })
  assert.deepEqual(found.crop, { height: 224, width: 224, rounding: 'down' })
  assert.equal(found.filter, 'bicubic')
  // For another size of the model there is one way: that size.
  assert.deepEqual(readPreprocessing(folderWith(deit), { source: {}, imageSize: [96, 96], colours: 3 }).resize, {
    to: 'size',
    height: 96,
    width: 96,
  })
  const shorter = { size: { shortest_edge: 248 }, do_center_crop: true, crop_size: 224 }
  assert.deepEqual(readPreprocessing(folderWith(shorter), { source: {}, imageSize: [224, 224], colours: 3 }).resize, {
    to: 'shorter-edge',
    length: 248,
  })
})

test("timm's preprocessing is read from config.json", () => {
  const config = {
    pretrained_cfg: {
      input_size: [3, 224, 224],
      interpolation: 'bicubic',
      crop_pct: 0.9,
      mean: [0, 0, 0],
      std: [1, 1, 1],
    },
  }
  const found = readPreprocessing('/nowhere', { source: config, imageSize: [224, 224], colours: 3 })
  assert.deepEqual(found.resize, { to: 'shorter-edge', length: 248 })
  assert.deepEqual(found.crop, { height: 224, width: 224, rounding: 'even' })
  const wide = { data: new Uint8Array(3 * 500 * 250).fill(7), width: 500, height: 250, colours: 3 }
  const { width, height, data } = fitted(wide, found)
  assert.deepEqual([width, height, data.length, data[0]], [224, 224, 3 * 224 * 224, 7])
})

test('colours are scaled, and what does not fit is refused by name', () => {
  const found = readPreprocessing(folderWith({ image_mean: [0, 0.5, 1], image_std: [1, 0.5, 2] }), {
    source: {},
    imageSize: [1, 2],
    colours: 3,
  })
  const result = new Float32Array(6)
  normalise(Uint8Array.from([255, 255, 255, 0, 0, 0]), 3, found, result)
  assert.deepEqual(
    [...result].map((value) => Math.round(value * 1e6) / 1e6),
    [1, 0, 1, -1, 0, -0.5],
  )
  assert.throws(
    () => readPreprocessing(folderWith({ resample: 4 }), { source: {}, imageSize: [8, 8], colours: 3 }),
    /preprocessor_config\.json: resample: is 4/,
  )
  assert.throws(
    () => readPreprocessing(folderWith({ image_std: [0, 1, 1] }), { source: {}, imageSize: [8, 8], colours: 3 }),
    /image_std: divides by 0/,
  )
  assert.throws(
    () => readPreprocessing(folderWith({ image_mean: [1] }), { source: {}, imageSize: [8, 8], colours: 3 }),
    /mean: has 1 values; the model sees 3/,
  )
})

const written = (folder: string) => JSON.parse(readFileSync(join(folder, 'preprocessor_config.json'), 'utf8')) as object

test('a written preprocessor_config.json says the size of the model, whatever fields it has', () => {
  const plain = folderWith({ size: { height: 8, width: 8 }, do_resize: true })
  fitPreprocessing(plain, [8, 8])
  assert.deepEqual(written(plain), { size: { height: 8, width: 8 }, do_resize: true })
  fitPreprocessing(plain, [16, 8])
  assert.deepEqual(written(plain), { size: { height: 16, width: 8 }, do_resize: true })
  const bare = folderWith({ do_normalize: false })
  fitPreprocessing(bare, [8, 8])
  assert.deepEqual(written(bare), { do_normalize: false })
})
