import assert from 'node:assert/strict'
import { readdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import sharp from 'sharp'
import { decodeImage } from '../../../../engine/data/images/decode.ts'
import { imageBatches } from '../../../../engine/data/images/image-batches.ts'
import { openImageSet } from '../../../../engine/data/images/image-set.ts'
import { openImageStore } from '../../../../engine/data/images/image-store.ts'
import { readPreprocessing } from '../../../../engine/data/images/preprocessing.ts'
import { scratch, writeImage } from './image-files.ts'

const { signal } = new AbortController()
const usual = readPreprocessing('/nowhere', { source: {}, imageSize: [8, 12], colours: 3 })

const pixel = async (file: string, at = 0) => [...(await decodeImage(file)).data.subarray(3 * at, 3 * at + 3)]

const base = () => sharp({ create: { width: 4, height: 3, channels: 3, background: { r: 90, g: 90, b: 90 } } })

test('grey, palette, alpha, 16-bit and CMYK images become red, green and blue', async () => {
  const folder = scratch()
  await base().greyscale().toFile(join(folder, 'grey.png'))
  await base().png({ palette: true }).toFile(join(folder, 'palette.png'))
  await base().ensureAlpha(0.5).toFile(join(folder, 'alpha.png'))
  const deep = { width: 4, height: 3, channels: 3 } as const
  await sharp(new Uint16Array(36).fill(90 * 257), { raw: deep })
    .toColourspace('rgb16')
    .toFile(join(folder, 'deep.png'))
  await base().toColourspace('cmyk').jpeg({ quality: 100 }).toFile(join(folder, 'cmyk.jpg'))
  for (const name of readdirSync(folder)) {
    const values = await pixel(join(folder, name))
    assert.equal(values.length, 3, name)
    // An ink is no light: what comes back of CMYK is near, not equal.
    const most = name === 'cmyk.jpg' ? 20 : 1
    for (const value of values) assert.ok(Math.abs(value - 90) <= most, `${name}: ${values.join()}`)
  }
})

test('an image is turned as its EXIF data say', async () => {
  const file = join(scratch(), 'turned.jpg')
  const raw = Buffer.alloc(16 * 8 * 3)
  raw.fill(255, 0, 8 * 3)
  await sharp(raw, { raw: { width: 16, height: 8, channels: 3 } })
    .withMetadata({ orientation: 6 })
    .toFile(file)
  const { width, height } = await decodeImage(file)
  assert.deepEqual([width, height], [8, 16])
})

for (const [what, write, message] of [
  ['cut off', (file: string) => truncateSync(file, 300), /cut\.png: cannot be read as an image: /],
  ['no image', (file: string) => writeFileSync(file, 'hello'), /cut\.png: cannot be read as an image: .*unsupported/i],
  [
    'an SVG',
    (file: string) => writeFileSync(file, '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
    /cannot be read as an image/,
  ],
  [
    'an image of libvips itself',
    (file: string) => {
      // Little-endian: magic, 3 x 2 pixels of 3 bands of bytes, not coded, sRGB; then the pixels.
      const header = Buffer.alloc(64)
      header.writeUInt32LE(0xb6a6f208)
      for (const [i, value] of [3, 2, 3, 8, 0, 0, 22].entries()) header.writeUInt32LE(value, 4 + 4 * i)
      writeFileSync(file, Buffer.concat([header, Buffer.alloc(18)]))
    },
    /cannot be read as an image/,
  ],
  ['empty', (file: string) => writeFileSync(file, ''), /cut\.png: cannot be read as an image/],
] as const)
  test(`a file that is ${what} is one clear error, and can be left out`, async () => {
    const folder = scratch()
    await writeImage(join(folder, 'cat/1.png'))
    const file = join(folder, 'cat/cut.png')
    await sharp(Buffer.from(Array.from({ length: 30 * 30 * 3 }, (_, i) => (i * 7919) % 251)), {
      raw: { width: 30, height: 30, channels: 3 },
    }).toFile(file)
    write(file)
    await assert.rejects(decodeImage(file), message)
    const set = await openImageSet(folder, 'train', signal)
    const options = { signal, folder: join(folder, '.cache') }
    await assert.rejects(openImageStore(set, usual, [8, 12], { ...options, badRows: 'refuse' }), message)
    const refusing = { ...options, badRows: 'refuse', skippedBy: '--bad-rows skip' } as const
    await assert.rejects(openImageStore(set, usual, [8, 12], refusing), /leave such images out \(--bad-rows skip\)$/)
    using store = await openImageStore(set, usual, [8, 12], { ...options, badRows: 'skip' })
    assert.deepEqual([...store.labels], [0])
    assert.match(store.broken[0]!, message)
  })

test('images are decoded while another thread sets the decoder up', async () => {
  const file = await writeImage(join(scratch(), '1.png'))
  const decoder = JSON.stringify(import.meta.resolve('../../../../engine/data/images/decode.ts'))
  // Each thread sets what is read in the whole process, here slowly.
  const script = `
    import(${JSON.stringify(import.meta.resolve('sharp'))}).then(async ({ default: sharp }) => {
      const block = sharp.block
      sharp.block = (options) => {
        block(options)
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
      }
      const { decodeImage } = await import(${decoder})
      await decodeImage(${JSON.stringify(file)})
    })`
  const thread = new Worker(script, { eval: true })
  const ended = new Promise<void>((resolve, reject) => thread.on('exit', resolve).on('error', reject))
  const state = { running: true }
  void ended.finally(() => (state.running = false))
  while (state.running) await decodeImage(file)
  await ended
})

test('images are decoded once: another run finds them, and a changed file is decoded anew', async () => {
  const folder = scratch()
  const file = await writeImage(join(folder, 'cat/1.png'))
  const options = { signal, badRows: 'refuse', folder: join(folder, '.cache') } as const
  const open = async () => openImageStore(await openImageSet(folder, 'train', signal), usual, [8, 12], options)
  const target = new Uint8Array(8 * 12 * 3)
  for (const cached of [false, true]) {
    using store = await open()
    assert.equal(store.cached, cached)
    store.read(0, target)
    assert.deepEqual([...target.subarray(0, 3)], [200, 100, 50])
    assert.throws(() => store.read(1, target), /pixels: ends before image 1/)
  }
  await writeImage(file, { colour: [1, 2, 3], width: 33 })
  using changed = await open()
  assert.equal(changed.cached, false)
  changed.read(0, target)
  assert.deepEqual([...target.subarray(0, 3)], [1, 2, 3])
})

test('batches follow from the seed and their number, and pass over every image once', async () => {
  const folder = scratch()
  for (let i = 0; i < 5; i++) await writeImage(join(folder, `cat/${i}.png`), { colour: [i * 20, 0, 255] })
  const set = await openImageSet(folder, 'train', signal)
  using store = await openImageStore(set, usual, [8, 12], { signal, badRows: 'refuse', folder: join(folder, '.cache') })
  const options = {
    rows: 2,
    length: 7,
    imageSize: [8, 12],
    patchSize: [4, 4],
    colours: 3,
    patchValues: 48,
    preprocessing: usual,
    seed: 3,
  } as const
  const batches = imageBatches(store, { ...options, augmentation: 'none' })
  assert.equal(batches.perEpoch, 3)
  const reds = [0, 1, 2, 3, 4].flatMap((index) => {
    const { patches } = batches.at(index)
    return [0, 1].map((row) => Math.round(((patches[row * 6 * 48]! + 1) * 255) / 2))
  })
  assert.deepEqual(
    reds.slice(0, 5).toSorted((a, b) => a - b),
    [0, 20, 40, 60, 80],
  )
  assert.deepEqual(
    reds.slice(5).toSorted((a, b) => a - b),
    [0, 20, 40, 60, 80],
  )
  const changing = (seed: number) => imageBatches(store, { ...options, seed, augmentation: 'crop-and-flip' })
  assert.deepEqual(changing(3).at(4), changing(3).at(4))
  assert.notDeepEqual(
    imageBatches(store, { ...options, seed: 4, augmentation: 'none' }).at(0).patches,
    batches.at(0).patches,
  )
})
