import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import sharp from 'sharp'
import { decodeImage } from '../../../../engine/data/images/decode.ts'
import { duplicatesAcross } from '../../../../engine/data/images/duplicates.ts'
import { openImageSet } from '../../../../engine/data/images/image-set.ts'
import { openImageStore } from '../../../../engine/data/images/image-store.ts'
import { readPreprocessing } from '../../../../engine/data/images/preprocessing.ts'
import { bmp, png, scratch, writeImage } from './image-files.ts'

const { signal } = new AbortController()
const usual = readPreprocessing('/nowhere', { source: {}, imageSize: [3, 4], colours: 3 })
const open = async (folder: string, split: 'train' | 'test') =>
  openImageStore(await openImageSet(folder, split, signal), usual, [3, 4], {
    signal,
    badRows: 'refuse',
    folder: join(folder, '.cache'),
  })

test('an image that announces more pixels than are read is refused before memory is taken', async () => {
  const file = join(scratch(), 'bomb.png')
  for (const [width, height] of [
    [100_000, 100_000],
    [9460, 9460],
    [2 ** 31 - 1, 2 ** 31 - 1],
  ] as const) {
    writeFileSync(file, png(width, height))
    const before = process.memoryUsage().rss
    await assert.rejects(decodeImage(file), /bomb\.png: (has more than 89478485 pixels|cannot be read as an image)/)
    assert.ok(process.memoryUsage().rss - before < 100e6)
  }
})

for (const bits of [8, 24, 32] as const)
  test(`a BMP file of ${bits} bits a pixel is read, and refused where it is cut or huge`, async () => {
    const file = join(scratch(), 'a.bmp')
    const bytes = bmp(bits)
    writeFileSync(file, bytes)
    const { data, width, height } = await decodeImage(file)
    assert.deepEqual([width, height], [2, 2])
    assert.deepEqual([...data], [0, 0, 255, 0, 255, 0, 255, 0, 0, 255, 255, 255])
    writeFileSync(file, bytes.subarray(0, -4))
    await assert.rejects(decodeImage(file), /a\.bmp: cannot be read as an image: the BMP ends after/)
    bytes.writeInt32LE(100_000, 18)
    bytes.writeInt32LE(-100_000, 22)
    writeFileSync(file, bytes)
    await assert.rejects(decodeImage(file), /a\.bmp: has more than 89478485 pixels/)
    bytes.writeUInt32LE(1, 30)
    bytes.writeInt32LE(2, 18)
    bytes.writeInt32LE(2, 22)
    writeFileSync(file, bytes)
    await assert.rejects(decodeImage(file), /compression 1 is not supported: save it as PNG/)
  })

test('of an animation the first image is taken, and that is said', async () => {
  const folder = scratch()
  await writeImage(join(folder, 'cat/1.png'))
  const frames = Buffer.alloc(4 * 6 * 3)
  frames.fill(240, 0, 4 * 3 * 3)
  await sharp(frames, { raw: { width: 4, height: 6, channels: 3, pageHeight: 3 } })
    .gif()
    .toFile(join(folder, 'cat/2.gif'))
  using store = await open(folder, 'train')
  assert.deepEqual(store.notes, [`${join(folder, 'cat/2.gif')} holds several images, of which the first is taken`])
  const target = new Uint8Array(36)
  store.read(1, target)
  assert.ok(target.every((value) => value > 230))
})

test('images that are both trained and scored on are told of, whatever their names and formats are', async () => {
  const folder = scratch()
  await writeImage(join(folder, 'train/cat/1.png'), { colour: [1, 2, 3] })
  await writeImage(join(folder, 'train/cat/2.png'), { colour: [9, 2, 3] })
  await writeImage(join(folder, 'test/cat/1.png'), { colour: [5, 2, 3] })
  using train = await open(folder, 'train')
  {
    using apart = await open(folder, 'test')
    assert.equal(duplicatesAcross(train, apart), null)
  }
  await writeImage(join(folder, 'test/cat/other.bmp.gif'), { colour: [9, 2, 3] })
  using same = await open(folder, 'test')
  const [seen, scored] = [join(folder, 'train/cat/2.png'), join(folder, 'test/cat/other.bmp.gif')]
  const message = duplicatesAcross(train, same)
  assert.ok(message?.startsWith(`1 of 2 images for scores are also trained on (${scored} is ${seen}): `), message!)
})

test('two runs that decode the same images at the same time both get them', async () => {
  const folder = scratch()
  await writeImage(join(folder, 'cat/1.png'))
  const stores = await Promise.all([open(folder, 'train'), open(folder, 'train')])
  for (const store of stores) {
    assert.equal(store.labels.length, 1)
    store[Symbol.dispose]()
  }
})
