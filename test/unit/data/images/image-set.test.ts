import assert from 'node:assert/strict'
import { mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openImageSet } from '../../../../engine/data/images/image-set.ts'
import { scratch, text, writeImage } from './image-files.ts'

const { signal } = new AbortController()
const short = (folder: string, { images }: Awaited<ReturnType<typeof openImageSet>>) =>
  images.map(({ file, label }) => [file.slice(folder.length + 1), label])

test('a folder of class folders: classes in the order of their names, all images in both splits', async () => {
  const folder = scratch()
  for (const name of ['cat/2.png', 'cat/10.png', 'Dog/a.jpg', 'bird/x.webp']) await writeImage(join(folder, name))
  const set = await openImageSet(folder, 'train', signal)
  assert.deepEqual(set.classes, ['Dog', 'bird', 'cat'])
  assert.deepEqual(short(folder, set), [
    ['Dog/a.jpg', 0],
    ['bird/x.webp', 1],
    ['cat/10.png', 2],
    ['cat/2.png', 2],
  ])
  assert.deepEqual((await openImageSet(folder, 'test', signal)).images, set.images)
})

test('folders train and val are the splits', async () => {
  const folder = scratch()
  await writeImage(join(folder, 'train/cat/1.png'))
  await writeImage(join(folder, 'val/cat/2.png'))
  assert.deepEqual(short(folder, await openImageSet(folder, 'train', signal)), [['train/cat/1.png', 0]])
  assert.deepEqual(short(folder, await openImageSet(folder, 'test', signal)), [['val/cat/2.png', 0]])
})

test('CUB-200-2011: paths, labels from 1, splits and names by the numbers of the images', async () => {
  const folder = scratch()
  for (const name of ['001.Gull/a.jpg', '002.Tern/b.jpg', '002.Tern/c.jpg'])
    await writeImage(join(folder, 'images', name))
  text(join(folder, 'images.txt'), ['1 001.Gull/a.jpg', '2 002.Tern/b.jpg', '3 002.Tern/c.jpg'])
  text(join(folder, 'image_class_labels.txt'), ['1 1', '2 2', '3 2'])
  text(join(folder, 'train_test_split.txt'), ['1 1', '2 0', '3 1'])
  text(join(folder, 'classes.txt'), ['1 001.Gull', '2 002.Tern'])
  const train = await openImageSet(folder, 'train', signal)
  assert.deepEqual(train.classes, ['001.Gull', '002.Tern'])
  assert.deepEqual(short(folder, train), [
    ['images/001.Gull/a.jpg', 0],
    ['images/002.Tern/c.jpg', 1],
  ])
  assert.deepEqual(short(folder, await openImageSet(folder, 'test', signal)), [['images/002.Tern/b.jpg', 1]])
  text(join(folder, 'image_class_labels.txt'), ['1 1', '2 3', '3 2'])
  await assert.rejects(
    openImageSet(folder, 'test', signal),
    /image_class_labels\.txt: line 2: names class 3, which .* lacks/,
  )
  text(join(folder, 'image_class_labels.txt'), ['1 1', '3 2'])
  await assert.rejects(openImageSet(folder, 'test', signal), /images\.txt: line 2: image 2 has no class/)
  text(join(folder, 'image_class_labels.txt'), ['1 1', '2 2', '3 2'])
  text(join(folder, 'train_test_split.txt'), ['1 1', '2 0'])
  await assert.rejects(openImageSet(folder, 'test', signal), /images\.txt: line 3: image 3 has no split/)
  text(join(folder, 'train_test_split.txt'), ['1 1', '2 0', '3 1'])
  rmSync(join(folder, 'images/002.Tern/c.jpg'))
  await assert.rejects(
    openImageSet(folder, 'train', signal),
    /images\.txt: line 3: names 002\.Tern\/c\.jpg, which is not/,
  )
})

test('VTAB: lists of paths and labels, 1,000 training images where a folder has them', async () => {
  const folder = scratch()
  for (const name of ['images/a b.png', 'images/c.png']) await writeImage(join(folder, name))
  text(join(folder, 'train800val200.txt'), ['images/a b.png 3', 'images/c.png 0'])
  text(join(folder, 'test.txt'), ['images/c.png 1'])
  const train = await openImageSet(folder, 'train', signal)
  assert.deepEqual(train.classes, ['0', '1', '2', '3'])
  assert.deepEqual(short(folder, train), [
    ['images/a b.png', 3],
    ['images/c.png', 0],
  ])
  assert.deepEqual(short(folder, await openImageSet(join(folder, 'test.txt'), 'train', signal)), [['images/c.png', 1]])
})

for (const [what, lines, message] of [
  ['a line without a number', ['a.png one'], /list\.txt: line 1: is not a path and the number of a class/],
  ['a negative class', ['a.png -1'], /line 1: is not a path/],
  ['a missing image', ['a.png 0', 'b.png 1'], /line 2: names b\.png, which is not in/],
  ['a way out', ['../outside.png 0'], /line 1: names \.\.\/outside\.png, which/],
  ['no line', ['', ' '], /list\.txt: names no image/],
] as const)
  test(`a list with ${what} is refused`, async () => {
    const folder = join(scratch(), 'inner')
    await writeImage(join(folder, 'a.png'))
    await writeImage(join(folder, '..', 'outside.png'))
    await assert.rejects(openImageSet(text(join(folder, 'list.txt'), lines), 'train', signal), message)
  })

for (const [what, make, message] of [
  ['an empty class', (folder: string) => mkdirSync(join(folder, 'empty')), /empty: is a class folder without an image/],
  [
    'an image beside the classes',
    (folder: string) => writeImage(join(folder, 'x.png')),
    /x\.png: lies in no class folder/,
  ],
  [
    'folders in folders',
    (folder: string) => writeImage(join(folder, 'cat/old/x.png')),
    /has folders within class folders, such as cat\/old/,
  ],
  [
    'a link as its only image',
    (folder: string) => {
      mkdirSync(join(folder, 'linked'))
      symlinkSync(join(folder, 'cat/1.png'), join(folder, 'linked/1.png'))
    },
    /linked\/1\.png: is a symbolic link, which may lead anywhere and is not followed/,
  ],
  [
    'an image in a format that is not read',
    (folder: string) => text(join(folder, 'cat/2.PPM'), ['P3']),
    /2\.PPM: is an image of a format that is not read: save it as PNG/,
  ],
  [
    'a link as a class',
    (folder: string) => symlinkSync(join(folder, 'cat'), join(folder, 'dog')),
    /dog: is a symbolic link/,
  ],
] as const)
  test(`a folder with ${what} is refused`, async () => {
    const folder = scratch()
    await writeImage(join(folder, 'cat/1.png'))
    await make(folder)
    await assert.rejects(openImageSet(folder, 'train', signal), message)
  })

test('a split that is not there is named', async () => {
  const folder = scratch()
  await writeImage(join(folder, 'train/cat/1.png'))
  await assert.rejects(openImageSet(folder, 'test', signal), /has a folder for train, and none for test \(test, val/)
  await assert.rejects(openImageSet(join(folder, 'nothing'), 'test', signal), /nothing: .*(not exist|no such)/i)
})
