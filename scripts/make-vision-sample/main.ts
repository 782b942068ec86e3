// npm run make-vision-sample: draws the images of the sample of images and trains its ViT with the engine, from a seed.
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { chooseBackend } from '../../engine/backends/choose.ts'
import { readPreprocessing } from '../../engine/data/images/preprocessing.ts'
import type { EncoderConfig } from '../../engine/models/encoder-config.ts'
import { parseConfig } from '../../engine/models/registry.ts'
import { shiftedBatches } from '../vision/shifted-batches.ts'
import { stateFileIn, trainVit } from '../vision/train-vit.ts'
import { writeVit } from '../vision/write-vit.ts'
import { trainingImages, writeImages } from './images.ts'
import { readme } from './readme.ts'
import { model, training, visionSeed } from './recipe.ts'

const { values } = parseArgs({
  options: {
    out: { type: 'string' },
    threads: { type: 'string' },
    'images-only': { type: 'boolean', default: false },
  },
})
const folder = values.out ?? join(import.meta.dirname, '../../resources/sample-vit')
const controller = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => controller.abort())

console.error('drawing images')
await writeImages(folder)
writeFileSync(join(folder, 'README.md'), readme(visionSeed))
if (!values['images-only']) await train()

async function train(): Promise<void> {
  await chooseBackend(values.threads === undefined ? {} : { threads: Number(values.threads) })
  const config = parseConfig(model, 'recipe.ts') as EncoderConfig
  const preprocessing = readPreprocessing('', { ...config, source: {} })
  const batch = { ...config, rows: training.rowsPerStep, length: config.maxPositions, preprocessing }
  const stateFile = stateFileIn(`${folder}.training`)
  const weights = await trainVit({
    config,
    training,
    seed: visionSeed,
    batchAt: shiftedBatches(trainingImages(), { ...batch, seed: visionSeed, shift: 0 }),
    stateFile,
    every: 50,
    onReport({ step, loss, secondsLeft }) {
      console.error(`step ${step} of ${training.steps}, loss ${loss.toFixed(4)}, ${Math.round(secondsLeft)} s left`)
    },
    signal: controller.signal,
  })
  rmSync(join(folder, 'model'), { recursive: true, force: true })
  await writeVit(join(folder, 'model'), config, weights, 'bfloat16')
  rmSync(`${folder}.training`, { recursive: true })
}
