// Whether training waits for images: how many a second are decoded and resized the first time, and which share of its time
// a training spends waiting for batches of them, with batches made ahead by a thread and without.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import sharp from 'sharp'
import { openImageSet } from '../../engine/data/images/image-set.ts'
import { openImageStore } from '../../engine/data/images/image-store.ts'
import { readPreprocessing } from '../../engine/data/images/preprocessing.ts'
import { prefetchedBatches } from '../../engine/data/images/prefetch.ts'
import { Random } from '../../engine/shared/random.ts'

const { values } = parseArgs({
  options: {
    images: { type: 'string', default: '400' },
    rows: { type: 'string', default: '32' },
    batches: { type: 'string', default: '20' },
    /** Milliseconds of a step: about what a graphics card, and what a processor takes for a ViT-B/16. */
    steps: { type: 'string', default: '300,3000' },
  },
})
const { signal } = new AbortController()
const size = [224, 224] as const
const grid = { imageSize: size, patchSize: [16, 16], colours: 3, patchValues: 768, length: 197 } as const
const folder = mkdtempSync(join(tmpdir(), 'secateur-images-'))
try {
  await makeImages(Number(values.images))
  const set = await openImageSet(join(folder, 'images'), 'train', signal)
  const preprocessing = readPreprocessing('', { source: {}, imageSize: size, colours: 3 })
  const open = () =>
    openImageStore(set, preprocessing, size, { badRows: 'refuse', signal, folder: join(folder, 'cache') })
  const began = performance.now()
  using store = await open()
  const rate = set.images.length / ((performance.now() - began) / 1000)
  console.log(
    `decoded and resized: ${Math.round(rate)} images of 500 x 375 a second, ${availableParallelism()} cores\n`,
  )
  console.log('| a step takes | made ahead | made in the training itself |\n| --- | --- | --- |')
  for (const milliseconds of values.steps.split(',').map(Number)) {
    const shares = [0, Infinity].map((fewest) => {
      const options = {
        ...grid,
        rows: Number(values.rows),
        preprocessing,
        augmentation: 'crop-and-flip',
        seed: 0,
      } as const
      using batches = prefetchedBatches(store.stored, options, fewest)
      return waitingShare(batches, milliseconds)
    })
    console.log(`| ${milliseconds} ms | ${shares.map((share) => `${(100 * share).toFixed(1)} %`).join(' | ')} |`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/** The share of the time that a training waits for batches whose steps take so long. */
function waitingShare(batches: ReturnType<typeof prefetchedBatches>, milliseconds: number): number {
  // The first ones wait for the thread to start.
  for (let index = 0; index < 3; index++) step(index)
  const [began, before] = [performance.now(), batches.waited]
  for (let index = 3; index < 3 + Number(values.batches); index++) step(index)
  return (batches.waited - before) / (performance.now() - began)

  function step(index: number): void {
    batches.at(index)
    const end = performance.now() + milliseconds
    // What computes a step keeps this thread.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Math.max(0, end - performance.now()))
  }
}

async function makeImages(count: number): Promise<void> {
  mkdirSync(join(folder, 'images/one'), { recursive: true })
  const random = new Random(0)
  for (let number = 0; number < count; number++) {
    const small = Uint8Array.from({ length: 25 * 19 * 3 }, () => random.integer(256))
    await sharp(small, { raw: { width: 25, height: 19, channels: 3 } })
      .resize(500, 375)
      .jpeg({ quality: 90 })
      .toFile(join(folder, 'images/one', `${number}.jpg`))
  }
}
