import assert from 'node:assert/strict'
import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import sharp from 'sharp'
import { checkImages } from '../../../engine/datasets/check-images.ts'
import { describeImages } from '../../../engine/datasets/describe-images.ts'
import { detectDataset } from '../../../engine/datasets/detect.ts'
import { seenImages } from '../../../engine/datasets/seen-images.ts'
import { imageThumbnails } from '../../../engine/datasets/thumbnails.ts'
import { imageParquet, toldOf } from '../data/images/image-parquet.ts'
import { scratch, text, writeImage } from '../data/images/image-files.ts'

const signal = new AbortController().signal
const control = { signal, progress: () => {} }
const root = scratch()
process.env['XDG_CACHE_HOME'] = join(root, 'cache')
after(() => rmSync(root, { recursive: true, force: true }))
const made = (...path: string[]) => join(root, ...path)

const thumbnails = (path: string, more: object = {}) =>
  imageThumbnails({ path, offset: 0, limit: 24, size: 64, ...more }, { signal })

test('class folders: the splits with their classes, and pages of one split and one class', async () => {
  for (const name of ['train/cat/1.png', 'train/cat/2.png', 'train/dog/1.png', 'test/cat/1.png'])
    await writeImage(made('folders', name))
  const path = made('folders')
  const { kind, rows, format } = await detectDataset({ path }, control)
  assert.deepEqual([kind, rows, format], ['images', 4, 'images'])
  assert.deepEqual(await describeImages({ path }, { signal }), {
    layout: 'class folders',
    parts: [
      { split: 'train', images: 3 },
      { split: 'test', images: 1 },
    ],
    classCount: 2,
    classes: [
      { name: 'cat', images: [2, 1] },
      { name: 'dog', images: [1, 0] },
    ],
  })
  const page = await thumbnails(path, { split: 'train', className: 'cat', offset: 1 })
  assert.deepEqual([page.images.map(({ name }) => name), page.total], [['train/cat/2.png'], 2])
})

test('CUB-200-2011, a list of VTAB-1k and Parquet of the Hub are data sets of images', async () => {
  const cub = made('cub')
  await writeImage(join(cub, 'images/001.Gull/a.png'))
  await writeImage(join(cub, 'images/001.Gull/b.png'))
  text(join(cub, 'images.txt'), ['1 001.Gull/a.png', '2 001.Gull/b.png'])
  text(join(cub, 'image_class_labels.txt'), ['1 1', '2 1'])
  text(join(cub, 'train_test_split.txt'), ['1 1', '2 0'])
  text(join(cub, 'classes.txt'), ['1 001.Gull'])
  const told = await describeImages({ path: cub }, { signal })
  assert.deepEqual([told.layout, told.classes], ['CUB-200-2011', [{ name: '001.Gull', images: [1, 1] }]])

  await writeImage(made('vtab/images/1.png'))
  const list = text(made('vtab/train800.txt'), ['images/1.png 2'])
  const listed = await detectDataset({ path: list }, control)
  assert.deepEqual([listed.kind, listed.rows], ['images', 1])
  const alone = await describeImages({ path: made('vtab') }, { signal })
  assert.deepEqual([alone.layout, alone.parts], ['VTAB-1k', [{ split: 'train', images: 1 }]])

  const bytes = await sharp({ create: { width: 8, height: 6, channels: 3, background: 'red' } })
    .png()
    .toBuffer()
  const rows = Array.from({ length: 5 }, (_, row) => ({ bytes: row === 3 ? null : bytes, path: null }))
  const file = made('images.parquet')
  writeFileSync(file, imageParquet({ image: rows, label: [0n, 1n, 0n, 1n, 0n], kvMetadata: toldOf(['cat', 'dog']) }))
  const packed = await detectDataset({ path: file }, control)
  assert.deepEqual([packed.kind, packed.format, packed.rows], ['images', 'parquet', 5])
  // From the middle of the second row group on.
  const { images, total } = await thumbnails(file, { offset: 3, limit: 2 })
  assert.equal(total, 5)
  assert.deepEqual(
    images.map(({ name, className }) => [name, className]),
    [
      ['row 3', 'dog'],
      ['row 4', 'cat'],
    ],
  )
  assert.ok('error' in images[0]! && /row 3/.test(images[0].error.message), JSON.stringify(images[0]))
  assert.ok('width' in images[1]! && images[1].width === 8)
})

for (const [what, name, make, message] of [
  [
    'a class folder without an image',
    'empty',
    () => mkdirSync(made('empty/dog')),
    /dog: is a class folder without an image/,
  ],
  ['a link', 'link', () => symlinkSync(made('link/cat/1.png'), made('link/cat/2.png')), /2\.png: is a symbolic link/],
  [
    'an image in no class',
    'loose',
    () => cpSync(made('loose/cat/1.png'), made('loose/1.png')),
    /1\.png: lies in no class folder/,
  ],
  [
    'a list that names a missing image',
    'list',
    () => text(made('list/train.txt'), ['cat/1.png 0', 'cat/9.png 0']),
    /line 2: names cat\/9\.png, which is not in/,
  ],
] as const)
  test(`a folder with ${what} is refused as a data set, in one message`, async () => {
    await writeImage(made(name, 'cat/1.png'))
    make()
    await assert.rejects(detectDataset({ path: made(name) }, control), message)
  })

test('Parquet of images without classes is refused by what it lacks', async () => {
  const file = made('unlabelled.parquet')
  writeFileSync(file, imageParquet({ image: [{ bytes: Buffer.from('x'), path: null }] }))
  await assert.rejects(detectDataset({ path: file }, control), /has no column of classes/)
})

test('looking at all images names the broken ones, and those that are in both splits', async () => {
  await writeImage(made('check/train/cat/1.png'), { colour: [1, 2, 3] })
  await writeImage(made('check/train/cat/2.png'), { colour: [250, 2, 3] })
  await writeImage(made('check/test/cat/1.png'), { colour: [1, 2, 3] })
  text(made('check/test/cat/2.jpg'), ['no image'])
  const found = await checkImages({ path: made('check') }, control)
  assert.deepEqual(
    found.parts.map(({ split, images, broken }) => [split, images, broken]),
    [
      ['train', 2, 0],
      ['test', 2, 1],
    ],
  )
  assert.match(found.parts[1]!.messages[0]!, /test\/cat\/2\.jpg/)
  assert.match(found.duplicates!, /^1 of 1 images for scores are also trained on/)
})

test('images are shown as a checkpoint sees them, and one that its preprocessing does not fit says why', async () => {
  const checkpoint = join(import.meta.dirname, '../../../resources/sample-vit/model')
  await writeImage(made('seen/cat/1.png'), { width: 60, height: 20 })
  text(made('seen/cat/2.png'), ['no image'])
  const asked = { checkpoint, offset: 0, limit: 6 }
  const { images } = await seenImages({ path: made('seen'), ...asked }, { signal })
  const [good, bad] = images
  assert.ok(good && 'seen' in good && bad && 'error' in bad)
  assert.deepEqual([good.original.width, good.seen.width, good.seen.height], [60, 32, 32])
  const corner = await sharp(Buffer.from(good.original.dataUrl.split(',')[1]!, 'base64'))
    .raw()
    .toBuffer()
  assert.deepEqual([...corner.subarray(0, 3)], [200, 100, 50], 'an image that is small already keeps its colours')
  const { info } = await sharp(Buffer.from(good.seen.dataUrl.split(',')[1]!, 'base64'))
    .raw()
    .toBuffer({ resolveWithObject: true })
  assert.deepEqual([info.width, info.height], [32, 32])
  const language = join(import.meta.dirname, '../../../resources/sample/model')
  await assert.rejects(seenImages({ path: made('seen'), ...asked, checkpoint: language }, { signal }), /sees no images/)
})
