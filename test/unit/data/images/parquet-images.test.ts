import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import sharp from 'sharp'
import { openImageSet } from '../../../../engine/data/images/image-set.ts'
import { openImageStore } from '../../../../engine/data/images/image-store.ts'
import { readPreprocessing } from '../../../../engine/data/images/preprocessing.ts'
import { imageParquet, type Table, told, toldOf } from './image-parquet.ts'
import { scratch } from './image-files.ts'

const { signal } = new AbortController()
const usual = readPreprocessing('/nowhere', { source: {}, imageSize: [4, 6], colours: 3 })

const png = (red: number) =>
  sharp({ create: { width: 6, height: 4, channels: 3, background: { r: red, g: 0, b: 9 } } })
    .png()
    .toBuffer()

const withNames = toldOf(['cat', 'dog'])

function parquet(file: string, table: Table): string {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, imageParquet(table))
  return file
}

const packed = async (...reds: (number | null)[]) =>
  Promise.all(reds.map(async (red, i) => ({ bytes: red === null ? null : await png(red), path: `${i}.png` })))

test('Parquet of the Hub: images and names of classes, in row groups, in the order of the rows', async () => {
  const folder = scratch()
  const train = parquet(join(folder, 'data/train-00000-of-00002.parquet'), {
    image: await packed(10, 20, 30),
    label: [1n, 0n, 1n],
    kvMetadata: withNames,
  })
  const more = parquet(join(folder, 'data/train-00001-of-00002.parquet'), {
    image: await packed(40),
    label: [0n],
    kvMetadata: withNames,
  })
  const held = parquet(join(folder, 'data/test-00000-of-00001.parquet'), {
    image: await packed(50),
    label: [0n],
    kvMetadata: withNames,
  })
  const set = await openImageSet(folder, 'train', signal)
  assert.deepEqual(set.classes, ['cat', 'dog'])
  assert.deepEqual(set.images, [
    { file: train, row: 0, label: 1 },
    { file: train, row: 1, label: 0 },
    { file: train, row: 2, label: 1 },
    { file: more, row: 0, label: 0 },
  ])
  using store = await openImageStore(set, usual, [4, 6], { signal, badRows: 'refuse', folder: join(folder, 'cache') })
  const target = new Uint8Array(4 * 6 * 3)
  const reds = [...store.labels.keys()].map((index) => {
    store.read(index, target)
    return target[0]
  })
  assert.deepEqual(reds, [10, 20, 30, 40])
  assert.deepEqual(store.images[2], { file: train, row: 2, label: store.labels[2] })
  assert.deepEqual((await openImageSet(folder, 'test', signal)).images, [{ file: held, row: 0, label: 0 }])
  assert.deepEqual((await openImageSet(more, 'test', signal)).classes, ['cat', 'dog'])
})

test('classes that are texts are sorted; numbers without names are their own names', async () => {
  const folder = scratch()
  const texts = parquet(join(folder, 'a.parquet'), {
    image: await packed(1, 2, 3),
    label: ['owl', 'cat', 'owl'],
    labelType: 'STRING',
    called: { image: 'img', label: 'class' },
  })
  const named = await openImageSet(texts, 'train', signal)
  assert.deepEqual(
    [named.classes, named.images.map(({ label }) => label)],
    [
      ['cat', 'owl'],
      [1, 0, 1],
    ],
  )
  const numbers = parquet(join(folder, 'b.parquet'), { image: await packed(1, 2), label: [2n, 0n] })
  assert.deepEqual((await openImageSet(numbers, 'train', signal)).classes, ['0', '1', '2'])
})

test('CIFAR-100 has two columns of classes: the fine one is taken', async () => {
  const file = parquet(join(scratch(), 'a.parquet'), {
    image: await packed(1, 2),
    others: { fine_label: [1n, 0n], coarse_label: [0n, 0n] },
  })
  assert.deepEqual(
    (await openImageSet(file, 'train', signal)).images.map(({ label }) => label),
    [1, 0],
  )
})

for (const [what, table, message] of [
  [
    'without images',
    { label: [0n], others: { size: [1n] } },
    /a\.parquet: has no column of images .*columns are label, size/,
  ],
  ['without classes', { labelType: 'DOUBLE', label: [0.5] }, /has no column of classes .*columns are image, label/],
  [
    'with several columns of classes',
    { others: { one: [0n], two: [0n] } },
    /several columns that could be the label \(one, two\)/,
  ],
  ['with a missing class', { label: [null] }, /row 0: has no class in the column "label"/],
  ['whose classes are kept back', { label: [-1n], kvMetadata: withNames }, /row 0: has no class .*\(-1\): the classes/],
  [
    'with a class that has no name',
    { label: [2n], kvMetadata: withNames },
    /row 0: has 2 in the column "label", which is none of the 2/,
  ],
] as const)
  test(`Parquet ${what} is refused`, async () => {
    const file = join(scratch(), 'a.parquet')
    const image = what === 'without images' ? {} : { image: await packed(1) }
    parquet(file, { ...image, ...(table as Table) })
    await assert.rejects(openImageSet(file, 'train', signal), message)
  })

test('shards with other classes are refused, and a split that is not there is named', async () => {
  const folder = scratch()
  parquet(join(folder, 'train-0.parquet'), { image: await packed(1), label: [0n], kvMetadata: withNames })
  await assert.rejects(openImageSet(folder, 'test', signal), /has Parquet files for train, and none for test/)
  const renamed = told({ label: { names: ['dog', 'cat'], _type: 'ClassLabel' } })
  parquet(join(folder, 'train-1.parquet'), { image: await packed(1), label: [0n], kvMetadata: renamed })
  await assert.rejects(openImageSet(folder, 'train', signal), /train-1\.parquet: has other columns or classes than/)
})

test('rows without an image, or with a broken one, are named, and can be left out', async () => {
  const folder = scratch()
  const image = [...(await packed(1, null)), { bytes: Buffer.from('no image'), path: null }, null]
  const file = parquet(join(folder, 'a.parquet'), { image, label: [0n, 1n, 0n, 1n] })
  const set = await openImageSet(file, 'train', signal)
  const options = { signal, folder: join(folder, 'cache') }
  await assert.rejects(
    openImageStore(set, usual, [4, 6], { ...options, badRows: 'refuse' }),
    /a\.parquet: row 1: holds no image \(null, or a path without bytes\) \(nor can 2 others\)/,
  )
  using store = await openImageStore(set, usual, [4, 6], { ...options, badRows: 'skip' })
  assert.deepEqual([...store.labels], [0])
  assert.match(store.broken[1]!, /a\.parquet: row 2: cannot be read as an image: /)
})

test('threads keep the order of many images, and name the broken one', async () => {
  const folder = scratch()
  const [one, other] = await packed(1, 2)
  const image = Array.from({ length: 401 }, (_, i) =>
    i === 300 ? { bytes: Buffer.from('no'), path: null } : i % 3 ? one : other,
  )
  const file = parquet(join(folder, 'a.parquet'), { image, label: image.map(() => 0n), rowGroupSize: 200 })
  const set = await openImageSet(file, 'train', signal)
  const seen: number[] = []
  using store = await openImageStore(set, usual, [4, 6], {
    signal,
    badRows: 'skip',
    folder: join(folder, 'cache'),
    onProgress: (done) => seen.push(done),
  })
  assert.match(store.broken.join(), /^[^,]*a\.parquet: row 300: cannot be read as an image: [^,]*$/)
  const target = new Uint8Array(4 * 6 * 3)
  for (let index = 0; index < 400; index++) {
    store.read(index, target)
    const row = index < 300 ? index : index + 1
    assert.equal(target[0], row % 3 ? 1 : 2)
  }
  assert.equal(seen.at(-1), 401)
})

test('files that are no Parquet are refused', async () => {
  const file = join(scratch(), 'a.parquet')
  writeFileSync(file, 'PAR1 this is none PAR1')
  await assert.rejects(openImageSet(file, 'train', signal), /a\.parquet: /)
})
